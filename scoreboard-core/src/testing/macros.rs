//! The suites' lists of cases: the only ones.

/// Runs the suite [`score_store`](crate::testing::score_store): one `#[test]` for each case, in a module `score_store`.
///
/// The argument is a type that implements [`ScoreStoreFixture`](crate::testing::ScoreStoreFixture). To run the suite on several
/// fixtures in one file, call it in a module for each, with `use super::*;`.
#[macro_export]
macro_rules! score_store_conformance {
    ($fixture:ty) => {
        $crate::__conformance!(score_store, $fixture, [
            a_new_board_is_empty_at_version_zero,
            a_board_is_created_once,
            one_of_many_creates_a_board,
            an_unknown_board_is_answered_as_such,
            an_unknown_season_is_answered_as_such,
            boards_are_listed_by_id,
            a_board_with_a_log_changes_its_catalogue,
            a_board_with_a_log_keeps_its_order,
            a_board_without_a_log_changes_its_order,
            an_unknown_board_is_not_changed,
            a_working_store_checks,
            increment_adds,
            decrement_subtracts,
            set_replaces,
            best_keeps_the_better,
            zero_points_enter_the_board,
            versions_have_no_gap,
            outcomes_come_in_order,
            a_batch_builds_on_itself,
            an_empty_batch_does_nothing,
            a_receipt_tells_all,
            a_log_row_holds_all,
            scores_reach_both_ends_of_the_range,
            reads_see_what_was_applied,
            a_change_for_an_unknown_board_is_refused,
            a_change_for_another_season_is_refused,
            a_score_out_of_range_is_refused,
            a_refused_change_spoils_no_other,
            a_refused_change_can_count_later,
            refusals_have_an_order,
            a_repeat_counts_once,
            a_repeat_in_one_batch_counts_once,
            a_receipt_stays_the_same,
            another_request_with_a_used_id_is_refused,
            a_repeat_is_known_by_its_fingerprint,
            an_id_counts_on_one_board,
            a_repeat_comes_before_every_refusal,
            an_action_is_found_by_its_id,
            at_most_holds_across_batches,
            at_most_holds_inside_a_batch,
            at_most_counts_from_its_moment_on,
            at_most_counts_from_its_moment_on_inside_a_batch,
            at_most_counts_its_own_kind,
            at_most_counts_what_counts,
            at_most_none_refuses_all,
            the_earliest_leads_among_equals,
            the_latest_leads_among_equals,
            times_break_no_ties,
            a_score_that_stays_keeps_its_place,
            coming_back_to_a_score_is_reaching_it_anew,
            a_score_moves_to_its_place,
            ties_are_numbered_by_style,
            ranks_go_on_across_pages,
            ranks_follow_changes,
            standings_come_as_asked,
            standings_of_nobody_are_empty,
            a_score_is_ranked_as_a_new_user_would_be,
            a_score_on_an_empty_board_is_first,
            the_top_holds_the_first,
            pages_lie_next_to_their_key,
            pages_past_the_ends_are_empty,
            a_key_needs_no_entry,
            walking_shows_each_entry_once,
            around_stays_full_near_the_ends,
            around_is_a_stretch_of_the_whole,
            around_nobody_is_empty,
            entries_hold_when_they_were_reached,
            the_log_is_paged_by_version,
            history_is_paged_newest_first,
            a_scan_is_paged_by_user,
            the_log_folds_to_the_scores,
            totals_count_users,
            one_action_at_once_counts_once,
            many_actions_at_once_all_count,
            at_most_holds_at_once,
            batches_over_boards_do_not_lock_up,
            an_answer_is_true_at_one_version,
            a_dropped_apply_is_all_or_nothing,
            an_aborted_apply_is_all_or_nothing,
            others_are_not_disturbed,
        ]);
    };
}

/// Emits a module of tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance {
    ($suite:ident, $fixture:ty, [$($case:ident),* $(,)?]) => {
        mod $suite {
            #[allow(unused_imports, reason = "the fixture may be named by a path or by a name in scope")]
            use super::*;

            $(
                #[test]
                fn $case() {
                    $crate::testing::run(async |fixture: &$fixture| $crate::testing::$suite::$case(fixture).await);
                }
            )*
        }
    };
}
