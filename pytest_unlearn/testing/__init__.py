"""What a test calls: assertions, property tests of requests, conformance tests of unlearners."""
