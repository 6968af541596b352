"""The operators' dashboard: `python deploy/grafana/generate.py` writes `dashboards/retarget.json`.

Rows follow the questions of somebody who is called: does it run, how far behind is it, what goes out,
why not, where does the time go.
"""
# ruff: noqa: INP001 - a program run by hand

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode, VariableOption

TARGET: Final = Path(__file__).parent / "dashboards" / "retarget.json"
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")
_WINDOW: Final = "$__rate_interval"


def _query(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(_SOURCE).expr(expression).legend_format(legend)


def _chart(title: str, says: str, unit: str, **queries: str) -> timeseries.Panel:
    """A chart; the queries by their legend, `lane` standing for `{{lane}}`."""
    legend = (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
    )
    panel = timeseries.Panel().title(title).description(says).unit(unit).min(0).span(8).height(8)
    panel = panel.datasource(_SOURCE).fill_opacity(10).legend(legend)
    for at, (name, expression) in enumerate(queries.items()):
        panel = panel.with_target(_query(expression, _legend(name)).ref_id(chr(ord("A") + at)))
    return panel


def _legend(name: str) -> str:
    labels = (
        "lane",
        "rule",
        "reason",
        "channel",
        "stage",
        "cause",
        "service",
        "outcome",
        "instance",
        "kind",
        "part",
        "pool",
    )
    return " ".join(f"{{{{{part}}}}}" if part in labels else part for part in name.split("_"))


def _stacked(panel: timeseries.Panel) -> timeseries.Panel:
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)


def _number(
    title: str, says: str, unit: str, expression: str, *, bad_above: float | None = None
) -> stat.Panel:
    """One number, red from `bad_above` on."""
    steps = [Threshold(value=None, color="green")]
    if bad_above is not None:
        steps.append(Threshold(value=bad_above, color="red"))
    limits = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    panel = stat.Panel().title(title).description(says).unit(unit).span(4).height(4).datasource(_SOURCE)
    reduced = common.ReduceDataOptions().calcs(["lastNotNull"])
    return panel.thresholds(limits).reduce_options(reduced).with_target(_query(expression, "").ref_id("A"))


def _rate(metric: str, *by: str, only: str = "") -> str:
    grouped = f" by ({', '.join(by)}) " if by else ""
    return f"sum{grouped}(rate({metric}{only}[{_WINDOW}]))"


def _quantile(share: float, metric: str, *by: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', 'le', *by)})"


def _state(board: dashboard.Dashboard) -> dashboard.Dashboard:
    numbers = [
        _number(
            "Lanes without owner",
            "People of these get nothing.",
            "none",
            "max(retarget_lanes) - (count(retarget_lane_up == 1) or vector(0))",
            bad_above=1,
        ),
        _number(
            "Furthest behind",
            "Of lanes with records to go.",
            "s",
            "max(retarget_lane_lag_seconds and retarget_lane_lag_records > 0) or vector(0)",
            bad_above=300,
        ),
        _number("Records to go", "Over all lanes.", "short", "sum(retarget_lane_lag_records)"),
        _number(
            "Caught up in",
            "The last of the lanes, at the rate of now.",
            "s",
            "max(retarget_lane_catch_up_seconds)",
        ),
        _number(
            "Lanes refused",
            "Journal and store contradict each other.",
            "none",
            "sum(retarget_lane_refused)",
            bad_above=1,
        ),
        _number(
            "Waiting for a service",
            "Workers that wait.",
            "none",
            "sum(retarget_service_waiting)",
            bad_above=1,
        ),
        _number("Kill switches", "In force.", "none", "max(retarget_paused_switches)", bad_above=1),
    ]
    board = board.with_row(dashboard.Row("Does it run"))
    for panel in numbers:
        board = board.with_panel(panel)
    return board


def _intake(board: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        board.with_row(dashboard.Row("What comes in"))
        .with_panel(
            _chart(
                "Events",
                "Applied, and those that changed nothing or came late.",
                "ops",
                applied=_rate("retarget_events_applied_total"),
                late=_rate("retarget_events_late_total"),
                duplicate=_rate("retarget_events_duplicate_total"),
            )
        )
        .with_panel(
            _chart("Records to go", "By lane.", "short", lane="sum by (lane) (retarget_lane_lag_records)")
        )
        .with_panel(
            _chart(
                "Behind the wall clock",
                "By lane; idle lanes are not counted.",
                "s",
                lane="max by (lane) (retarget_lane_lag_seconds and retarget_lane_lag_records > 0)",
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Dead letters",
                    "Records that could not be used.",
                    "ops",
                    reason=_rate("retarget_dead_letters_total", "reason"),
                )
            )
        )
        .with_panel(
            _chart(
                "Since the last progress",
                "Grows while a lane stands.",
                "s",
                lane="time() - max by (lane) (retarget_lane_progress_timestamp_seconds)",
            )
        )
    )


def _output(board: dashboard.Dashboard) -> dashboard.Dashboard:
    sends = '{operation="send"}'
    return (
        board.with_row(dashboard.Row("What goes out, and why not"))
        .with_panel(
            _stacked(
                _chart(
                    "Messages by rule",
                    "Sends.",
                    "ops",
                    rule=_rate("retarget_messages_total", "rule", only=sends),
                )
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Messages by channel",
                    "All operations.",
                    "ops",
                    channel=_rate("retarget_messages_total", "channel"),
                )
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Candidates that were not sent",
                    "By the gate that stopped them.",
                    "ops",
                    reason=_rate("retarget_decisions_total", "reason", only='{outcome!="sent"}'),
                )
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Decisions by outcome",
                    "All rules.",
                    "ops",
                    outcome=_rate("retarget_decisions_total", "outcome"),
                )
            )
        )
        .with_panel(
            _chart(
                "Regretted",
                "Sent although the person had just ended the episode.",
                "ops",
                rule=_rate("retarget_regretted_messages_total", "rule"),
            )
        )
        .with_panel(
            _chart(
                "Decided in shadow",
                "What new versions of rules would do, without effect.",
                "ops",
                outcome=_rate("retarget_shadow_decisions_total", "outcome"),
            )
        )
        .with_panel(
            _chart(
                "Episodes evaluated anew",
                "The version that was to finish them is no longer carried.",
                "ops",
                rule=_rate("retarget_episodes_taken_over_total", "rule"),
            )
        )
        .with_panel(
            _chart(
                "Lateness of waits",
                "From the end of a wait to its decision.",
                "s",
                median=_quantile(0.5, "retarget_wait_lateness_seconds"),
                p99=_quantile(0.99, "retarget_wait_lateness_seconds"),
            )
        )
    )


def _channels(board: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        board.with_row(dashboard.Row("Channel services, and what they hand over"))
        .with_panel(
            _stacked(
                _chart(
                    "Handed over",
                    "Messages, by channel and destination.",
                    "ops",
                    channel=_rate("retarget_channel_messages_total", "channel", only='{outcome="handed"}'),
                )
            )
        )
        .with_panel(
            _chart(
                "Backlog",
                "Read and not settled, also what is not due yet; and what has not even been read.",
                "short",
                channel="sum by (channel) (retarget_channel_waiting)",
                channel_unread="sum by (channel) (retarget_channel_unread_records)",
            )
        )
        .with_panel(
            _chart(
                "Lateness, p99",
                "From when a message could have gone.",
                "s",
                channel=_quantile(0.99, "retarget_channel_late_seconds", "channel"),
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Not handed over",
                    "Refused for the moment, without an answer, dead, expired, recalled.",
                    "ops",
                    channel_outcome=_rate(
                        "retarget_channel_messages_total", "channel", "outcome", only='{outcome!="handed"}'
                    ),
                )
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Dead letters of channels",
                    "By reason.",
                    "ops",
                    channel_reason=_rate("retarget_channel_dead_letters_total", "channel", "reason"),
                )
            )
        )
        .with_panel(
            _chart(
                "At the rate",
                "Seconds a second for which messages that could go waited for it, over all partitions.",
                "none",
                channel=_rate("retarget_channel_rate_waited_seconds_total", "channel"),
            )
        )
        .with_panel(
            _chart(
                "Repeats",
                "Handed over once more after no answer: people may have got them twice.",
                "ops",
                channel=_rate("retarget_channel_repeats_total", "channel"),
            )
        )
        .with_panel(
            _chart(
                "Codes left",
                "Of each pool, in the lane that has the fewest.",
                "short",
                pool="min by (pool) (retarget_lane_offer_codes)",
            )
        )
        .with_panel(
            _chart(
                "Clicked, unsubscribed, paused",
                "Links followed and one-click unsubscribes; kill switches that channel services know of.",
                "none",
                outcome=_rate("retarget_channel_links_total", "outcome"),
                unsubscribes=_rate("retarget_channel_unsubscribes_total"),
                switches="max(retarget_channel_paused_switches)",
            )
        )
    )


def _work(board: dashboard.Dashboard) -> dashboard.Dashboard:
    return (
        board.with_row(dashboard.Row("Where the time goes"))
        .with_panel(
            _chart(
                "Stages, p99", "Of a batch.", "s", stage=_quantile(0.99, "retarget_stage_seconds", "stage")
            )
        )
        .with_panel(
            _stacked(
                _chart(
                    "Stages, share of the time",
                    "Seconds a second, all workers.",
                    "none",
                    stage=_rate("retarget_stage_seconds_sum", "stage"),
                )
            )
        )
        .with_panel(
            _chart(
                "Records in a batch",
                "Small at night, full in a backlog.",
                "none",
                median=_quantile(0.5, "retarget_batch_records"),
                p99=_quantile(0.99, "retarget_batch_records"),
            )
        )
        .with_panel(
            _chart(
                "Held and waiting",
                "Events held, waits of the near future.",
                "short",
                held="sum(retarget_lane_held_events)",
                waits="sum(retarget_lane_waits)",
            )
        )
        .with_panel(
            _chart(
                "Claims",
                "All but start and rebalance are repairs.",
                "ops",
                cause=_rate("retarget_lane_claims_total", "cause"),
                replayed=_rate("retarget_replayed_batches_total"),
                mismatches=_rate("retarget_replay_mismatches_total"),
            )
        )
        .with_panel(
            _chart(
                "Time of a claim, p99",
                "A lane does nothing else meanwhile.",
                "s",
                claim=_quantile(0.99, "retarget_lane_claim_seconds"),
            )
        )
        .with_panel(
            _chart(
                "Processor",
                "Cores, by worker.",
                "none",
                instance=_rate("process_cpu_seconds_total", "instance", only='{job="retarget"}'),
            )
        )
        .with_panel(
            _chart(
                "Memory",
                "By worker.",
                "bytes",
                instance='sum by (instance) (process_resident_memory_bytes{job="retarget"})',
            )
        )
        .with_panel(
            _chart(
                "State dropped",
                "Because of the bounds on state; beside it what of usable events could not be read.",
                "ops",
                kind=_rate("retarget_state_dropped_total", "kind"),
                part=_rate("retarget_input_ignored_total", "part"),
            )
        )
        .with_panel(
            _chart(
                "Catalogue",
                "Records handed on to all lanes, and applied by each.",
                "ops",
                handed_on=_rate("retarget_catalogue_records_total"),
                applied=_rate("retarget_catalogue_applied_total"),
            )
        )
        .with_panel(
            _chart(
                "People",
                "Anonymous histories joined, ids not joined, events sent on, doubles of before.",
                "ops",
                joined=_rate("retarget_people_joined_total"),
                not_joined=_rate("retarget_people_not_joined_total", "why"),
                sent_on=_rate("retarget_events_sent_on_total", "why"),
                double=_rate("retarget_merge_double_total", "rule"),
            )
        )
        .with_panel(
            _chart(
                "What rules could not use",
                "Values of another type than asked for; messages without their code or language; bugs.",
                "ops",
                lacking=_rate("retarget_messages_lacking_total", "rule", "reason"),
                misfit=_rate("retarget_conditions_misfit_total", "rule"),
                failed=_rate("retarget_rules_failed_total", "rule"),
            )
        )
    )


def generate() -> str:
    """The dashboard as JSON text."""
    chosen = VariableOption(text="Prometheus", value="prometheus", selected=True)
    board = (
        dashboard.Dashboard("Retarget")
        .uid("retarget")
        .description("Made by deploy/grafana/generate.py; changes made here are lost.")
        .tags(["retarget"])
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .with_variable(
            dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus").current(chosen)
        )
    )
    for row in (_state, _intake, _output, _channels, _work):
        board = row(board)
    built = board.build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(generate(), encoding="utf-8")
