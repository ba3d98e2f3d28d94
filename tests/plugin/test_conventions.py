"""What a pytest plugin owes its users, line by line, and the test that holds it to it."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.plugin.conftest import Suite

TESTS = Path(__file__).parents[1]

# Packaging, configuration, fixtures, assertions, reporting, distribution, and how a plugin is tested.
CHECKLIST = {
    "found by its entry point": "plugin/test_packaging.py::test_it_loads_through_its_entry_point",
    "disabled by -p no:unlearn": "plugin/test_packaging.py::test_it_can_be_switched_off",
    "works without autoload and without xdist": (
        "plugin/test_packaging.py::test_it_can_be_loaded_by_name_without_autoload_and_without_xdist"
    ),
    "classifiers": "plugin/test_packaging.py::test_the_entry_point_and_the_classifiers_say_what_it_is",
    "two explicit packages, both typed": "plugin/test_packaging.py::test_both_packages_are_built_and_typed",
    "floors, no upper pins": "plugin/test_packaging.py::test_needs_have_a_floor_and_no_ceiling",
    "import budget": "plugin/test_import_budget.py::test_nothing_heavy_is_imported",
    "one option group, prefixed": (
        "plugin/test_options.py::test_help_lists_the_documented_options_in_one_group_and_no_others"
    ),
    "prefixed dest, builtin values": (
        "plugin/test_options.py::test_what_options_store_is_prefixed_and_survives_the_way_to_a_worker"
    ),
    "flags are store_true": "plugin/test_options.py::test_flags_take_no_value_and_leave_the_path_alone",
    "values are validated": "plugin/test_options.py::test_a_bad_value_is_a_usage_error",
    "ini twins": "plugin/test_ini.py::test_everything_that_persists_has_an_ini_twin",
    "typed ini": "plugin/test_ini.py::test_each_ini_twin",
    "precedence and its source": "plugin/test_precedence.py::test_precedence",
    "the source is in the evidence": (
        "testing/test_assertions.py::test_thresholds_come_from_the_closest_source_and_the_evidence_says_which"
    ),
    "marker registered": "plugin/test_marker.py::test_it_is_registered",
    "unknown marker keyword": "plugin/test_marker.py::test_a_typo_is_an_error_that_names_the_keywords",
    "header only with -v": "plugin/test_header.py::test_the_header_appears_only_with_v",
    "nothing printed otherwise": (
        "plugin/test_header.py::test_a_run_without_audits_looks_as_if_the_plugin_were_not_there"
    ),
    "stash, no foreign attributes": "plugin/test_stash.py::test_nothing_is_hung_on_items_session_or_config",
    "nothing created early": "plugin/test_nothing_created.py::test_nothing_is_created_when_nothing_runs",
    "session-scoped and documented fixtures": "plugin/test_fixtures.py::TestFixtures::test_fixtures_are_documented",
    "usable with @given": "plugin/test_fixtures.py::TestFixtures::test_unlearn_runs_any_request_once",
    "overridable fixtures": "plugin/test_overrides.py::TestOverrides::test_every_fixture_may_be_overridden",
    "a missing input is said": "plugin/test_fixtures.py::TestFixtures::test_what_is_missing_is_said",
    "one-line repr": "plugin/test_fixtures.py::TestFixtures::test_everything_handed_out_prints_in_one_line",
    "an AssertionError, traceback hidden": (
        "plugin/test_failures.py::test_an_assertion_fails_with_its_message_and_none_of_our_frames"
    ),
    "usable without pytest": "testing/test_assertions.py::test_assertions_work_in_a_plain_script_without_pytest",
    "one exception type": (
        "plugin/test_failures.py::test_every_verdict_raises_one_type_so_that_hypothesis_sees_one_failure"
    ),
    "no deadline, derandomised in CI": (
        "plugin/test_hypothesis.py::test_in_ci_the_same_examples_are_audited_every_time_without_a_deadline"
    ),
    "one terminal section, none by workers": "plugin/test_terminal_section.py::test_counts_and_one_line_a_claim",
    "silent with -qq or without audits": (
        "plugin/test_terminal_section.py::test_no_section_when_quiet_or_when_no_audit_ran"
    ),
    "evidence in report.sections": "plugin/test_failures.py::test_the_failing_test_carries_the_detail",
    "the gate is a test case": "plugin/test_junit.py::test_a_blocking_gate_is_a_failed_test_case",
    "JUnit properties opt-in": "plugin/test_junit.py::test_no_properties_otherwise",
    "JUnit properties": "plugin/test_junit.py::test_properties_when_asked_for",
    "files by the controller, URIs printed": (
        "plugin/test_report_files.py::test_the_files_are_written_and_their_addresses_printed"
    ),
    "atomic": "plugin/test_faults.py::test_a_fault_at_any_step_leaves_nothing_half_done",
    "a failed write is a failure": "plugin/test_faults.py::test_a_file_in_the_way_of_the_directory",
    "job summary": "plugin/test_step_summary.py::test_the_report_is_appended_once",
    "job summary under 1,024 KB": "plugin/test_step_summary.py::test_what_does_not_fit_is_cut_at_a_line_and_said",
    "pytest-html": "plugin/test_html_plugin.py::test_evidence_is_an_extra_and_escaped",
    "-n 0, -n 2, loadgroup": "plugin/test_distribution.py::test_every_way_of_dealing_releases_alike",
    "worker crash": "plugin/test_distribution.py::test_a_killed_worker_takes_only_its_own_test_along",
    "--maxfail": "plugin/test_distribution.py::test_a_run_that_stops_at_a_failure_is_partial",
    "values pass through JSON": "plugin/test_reconcile.py::test_numpy_scalars_in_evidence_do_no_harm",
    "reconciled": "plugin/test_reconcile.py::test_evidence_that_a_plugin_loses_on_the_way_blocks",
    "partial runs": "plugin/test_completeness.py::test_whatever_narrows_the_run_makes_it_partial",
    "partial runs, --lf": "plugin/test_completeness.py::TestWithTheCache::test_last_failed",
    "partial runs, --sw": "plugin/test_completeness.py::TestWithTheCache::test_stepwise",
    "--collect-only": "plugin/test_completeness.py::test_collect_only_decides_nothing_and_says_so",
    "reruns": "plugin/test_reruns.py::test_rerunfailures",
    "reruns by flaky": "plugin/test_reruns.py::test_flaky_which_reports_the_last_try_alone",
    "exit codes": "plugin/test_exit_codes.py::test_codes",
    "plugins under test are fixed": "plugin/test_conventions.py::test_mini_suites_load_only_what_is_named",
}


def names(path: Path) -> set[str]:
    """The tests that a file defines, those in classes with the class's name before them."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{child.name}" for child in node.body if isinstance(child, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def test_each_line_has_its_test() -> None:
    missing = []
    for line, test in CHECKLIST.items():
        file, _, name = test.partition("::")
        if name not in names(TESTS / file):
            missing.append(line)
    assert missing == []


def test_mini_suites_load_only_what_is_named(suite: Suite) -> None:
    suite.write(
        test_it="""
        def test_a(pytestconfig):
            loaded = {plugin.__name__ for plugin, _ in pytestconfig.pluginmanager.list_plugin_distinfo()}
            assert loaded == {"xdist.plugin"}
            assert not pytestconfig.pluginmanager.hasplugin("cacheprovider")
        """
    )
    suite.run().assert_outcomes(passed=1)
