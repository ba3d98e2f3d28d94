"""What the audits of claims share: inputs, findings, controls, the rule of verdicts, evidence."""
