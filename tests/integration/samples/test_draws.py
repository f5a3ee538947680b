"""A sample from announcement to outcome over the real database, and everything that is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.adapters.database import tables
from backend.domain.draw_proof import verify_draw
from backend.domain.errors import NotFoundError
from backend.domain.review import CaseKind, Outcome
from backend.domain.sampling import SamplingError
from backend.entrypoints.cli.sample import command
from backend.entrypoints.web import create_app
from backend.service_layer.handling.review import approve_pended
from backend.service_layer.intake.adopt import find_lost_leaves
from backend.service_layer.ports import LedgerUnavailableError
from backend.service_layer.review import decide
from backend.service_layer.review.decide import Verdict
from backend.service_layer.review.sweep import review_pass
from backend.service_layer.supervision.announcement_anchor import anchor_announcements
from backend.service_layer.supervision.sampling import (
    NotAnchoredError,
    NotFinalError,
    announce,
    announce_when_due,
    draw,
    published,
)
from backend.service_layer.supervision.sampling_audit import open_cases, sample_pass
from backend.service_layer.supervision.sampling_records import DrawnAlreadyError
from tests.integration.samples.post import Post

pytestmark = pytest.mark.slow


def announced(post: Post, *yuan: int) -> None:
    post.approved(*(yuan or (100, 200, 300)))
    assert announce(post.services, by="周审") is not None
    post.anchor_announcements()


def final(post: Post) -> None:
    post.ledger.block += 1_000


def test_a_sample_is_announced_drawn_audited_and_verified_by_anybody(post: Post) -> None:
    post.limits(share_bp=5_000)
    claims = post.approved(100, 200, 300)
    for name in ("王芳", "李娜"):
        post.office.staff(name)
    stored = announce(post.services, by="周审")
    assert stored is not None
    head = post.ledger.block
    assert (stored.announcement.population_size, stored.announcement.block_number) == (3, head + 20)
    post.anchor_announcements()
    post.ledger.block += 19
    assert sample_pass(post.services) >= 2  # the draw and its cases
    record = json.loads(json.dumps(published(post.services, 1)))
    proved = verify_draw(record)
    assert proved.announcement == stored.announcement
    assert (proved.anchor.block_number, proved.block_number) == (head + 1, head + 20)
    assert proved.block_hash == post.ledger.hash_of(head + 20)
    assert len(record["draw"]["members"]) == 2  # ceil(3 x 50 %)
    with post.services.work(write=False) as work:
        audits = work.samples.audits(stored.id)
    assert len(audits) == 2
    assert {audit.claim_id for audit in audits} <= {claim.id for claim in claims}
    review_pass(post.services)
    for audit, outcome in zip(audits, (Outcome.APPROVE, Outcome.REFUSE), strict=True):
        claim = post.world.claim(audit.claim_id)
        case = post.office.case_of(claim)
        assert case.kind is CaseKind.POST_AUDIT
        holder = post.office.holder_of(claim)
        decide.find(post.services, case.id, holder.id, Verdict(outcome, "已核对病历"))
        assert post.world.claim(claim.id) == claim  # a post-audit moves no claim
    with post.services.work(write=False) as work:
        outcomes = [audit.outcome for audit in work.samples.audits(stored.id)]
        assert outcomes == ["confirmed", "finding"]
        (lead,) = work.leads.all()
        assert (lead.source, lead.subject_id) == ("post-audit", audits[1].claim_id)
        assert work.samples.counts() == {"confirmed": 1, "finding": 1}
    assert sample_pass(post.services) == 0


def test_nothing_is_drawn_before_the_block_is_final(post: Post) -> None:
    announced(post)
    with pytest.raises(NotFinalError, match="not final yet"):
        draw(post.services, 1)
    post.ledger.block += 19
    post.ledger.lag = 1  # mined, and may still be reorganised
    with pytest.raises(NotFinalError, match="not final yet"):
        draw(post.services, 1)
    assert post.rows(tables.sample_draw) == 0
    post.ledger.lag = 0
    draw(post.services, 1)


def test_nothing_is_drawn_before_the_announcement_is_on_the_ledger(post: Post) -> None:
    post.approved(100)
    announce(post.services, by="周审")
    post.ledger.block += 1_000
    with pytest.raises(NotAnchoredError, match="not final on the ledger yet"):
        draw(post.services, 1)
    assert anchor_announcements(post.services) == 1  # queued, and not mined yet
    with pytest.raises(NotAnchoredError, match="not final on the ledger yet"):
        draw(post.services, 1)
    assert "anchor" not in published(post.services, 1)
    assert anchor_announcements(post.services) == 0  # once
    assert post.rows(tables.sample_draw) == 0


def test_an_announcement_that_came_late_is_drawn_from_a_later_block(post: Post) -> None:
    post.approved(100, 200, 300)
    stored = announce(post.services, by="周审")
    assert stored is not None
    named = stored.announcement.block_number
    post.ledger.block = named + 5  # whoever announces may know the named block by now
    post.anchor_announcements()
    anchored_in = post.ledger.block
    with pytest.raises(NotFinalError, match=f"block {anchored_in + 20} is not final"):
        draw(post.services, 1)
    post.ledger.block += 20
    assert draw(post.services, 1).block_number == anchored_in + 20
    assert verify_draw(published(post.services, 1)).block_number == anchored_in + 20


def test_an_anchor_that_the_ledger_does_not_hold_gives_no_draw(post: Post) -> None:
    announced(post)
    final(post)
    heads = dict(post.ledger.heads)
    post.ledger.heads.clear()
    with pytest.raises(SamplingError, match="ledger does not hold the announcement"):
        draw(post.services, 1)
    post.ledger.heads.update(heads)
    post.ledger.branch = b"without the anchor"
    with pytest.raises(SamplingError, match="ledger does not hold the announcement"):
        draw(post.services, 1)
    assert post.rows(tables.sample_draw) == 0


def test_without_an_agency_that_issues_an_alarm_says_why_nothing_is_drawn(
    tmp_path: Path, migrated_for_samples: Path
) -> None:
    shutil.copy(migrated_for_samples, tmp_path / "yichu.db")
    post = Post.make(tmp_path, has_agency=False)
    announced(post)
    final(post)
    sample_pass(post.services)
    with post.services.work(write=False) as work:
        assert work.alarms.open_counts() == {"sample-no-issuer": 1}
    post.set_up_agency()
    post.anchor_announcements()
    with post.services.work(write=False) as work:
        assert work.alarms.open_counts() == {}
    final(post)
    sample_pass(post.services)
    verify_draw(published(post.services, 1))
    post.services.engine.dispose()


def test_two_announcements_are_two_batches_in_the_agency_s_sequence(post: Post) -> None:
    announced(post, 100)
    post.approved(200)
    announce(post.services, by="周审")
    post.anchor_announcements()
    anchors = [published(post.services, number)["anchor"] for number in (1, 2)]
    assert [one["sequence"] for one in anchors] == [1, 2]
    assert anchors[0]["previous_head"] == "00" * 32 != anchors[1]["previous_head"]
    lines = find_lost_leaves(post.services)
    assert [line.verdict for line in lines] == ["agrees", "agrees"]


def test_a_branch_that_lost_gives_no_seed(post: Post) -> None:
    announced(post)
    post.ledger.block += 20
    post.ledger.lag, post.ledger.branch = 5, b"lost"
    sample_pass(post.services)
    post.ledger.lag, post.ledger.branch = 0, b"main"
    sample_pass(post.services)
    record = published(post.services, 1)
    number = record["announcement"]["block_number"]
    assert record["draw"]["block_hash"] == post.ledger.hash_of(number).hex()


def test_there_is_no_second_draw(post: Post) -> None:
    announced(post)
    final(post)
    first = draw(post.services, 1)
    post.ledger.branch = b"another"
    with pytest.raises(DrawnAlreadyError, match="one draw an announcement"):
        draw(post.services, 1)
    with (
        pytest.raises(DrawnAlreadyError, match="one draw an announcement"),
        post.services.work() as work,
    ):
        work.samples.add_draw(first, [])


def test_a_decision_is_in_one_population_only(post: Post) -> None:
    announced(post, 100)
    assert announce(post.services, by="周审") is None
    post.approved(200)
    second = announce(post.services, by="周审")
    assert second is not None
    assert second.announcement.population_size == 1
    with post.services.work(write=False) as work:
        first = work.samples.by_sequence(1)
    assert second.announcement.previous == first.digest


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE decision SET fingerprint = zeroblob(32)", "not the announced one|there twice"),
        (
            "DELETE FROM sample_population WHERE decision_id IN "
            "(SELECT decision_id FROM sample_population LIMIT 1)",
            "not the announced one",
        ),
        ("UPDATE sample_population SET is_value = 1", "value or variance samples"),
        ("UPDATE sample_population SET is_variance = 1", "value or variance samples"),
        (
            "UPDATE sample_announcement SET document = replace(document, '500', '400')",
            "changed after it was made",
        ),
        ("UPDATE sample_announcement SET digest = zeroblob(32)", "changed after it was made"),
    ],
)
def test_what_was_changed_after_the_announcement_is_not_drawn(
    post: Post, statement: str, why: str
) -> None:
    announced(post)
    final(post)
    post.world.sql(statement)
    with pytest.raises(SamplingError, match=why):
        draw(post.services, 1)
    assert post.rows(tables.sample_draw) == 0
    sample_pass(post.services)
    with post.services.work(write=False) as work:
        assert work.alarms.open_counts()["sample-draw-refused"] == 1


@pytest.mark.parametrize(
    "table",
    ["sample_announcement", "sample_population", "sample_draw", "sample_member", "sample_audit"],
)
def test_rows_of_samples_are_only_inserted(post: Post, table: str) -> None:
    announced(post)
    final(post)
    sample_pass(post.services)
    column = "id" if table == "sample_announcement" else "announcement_id"
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = 'x'"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="insert-only"),
            post.services.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))


def test_what_a_person_decided_and_what_was_refused_is_in_no_population(post: Post) -> None:
    claim = post.office.pended(400, payer_name="测试丁卯")
    approve_pended(post.services, claim.number, "王芳", "曾用名，户口本可查")
    post.world.run()
    assert announce(post.services, by="周审") is None


def test_value_and_variance_samples_are_taken_whole(post: Post) -> None:
    post.limits(share_bp=0, value_fen=10_000)
    post.approved(100, 2_000)
    stored = announce(post.services, by="周审")
    assert stored is not None
    assert (stored.announcement.value_count, stored.announcement.variance_count) == (1, 0)
    post.anchor_announcements()
    final(post)
    draw(post.services, 1)
    assert published(post.services, 1)["draw"]["members"] == []  # a share of nothing
    assert open_cases(post.services) == 1
    with post.services.work(write=False) as work:
        (audit,) = work.samples.audits(stored.id)
    assert audit.bases == ("value",)


def test_the_worker_closes_whole_days_in_shanghai(post: Post) -> None:
    post.limits(period_days=1)
    post.approved(100)  # decided at 10:00 in Shanghai
    assert not announce_when_due(post.services)
    post.advance_days(13.9 / 24)
    assert not announce_when_due(post.services)  # 23:54
    post.advance_days(0.2 / 24)
    assert announce_when_due(post.services)  # 00:06 on the next day
    with post.services.work(write=False) as work:
        assert work.samples.last().announcement.period_until == "2026-11-20T16:00:00.000000+00:00"
    assert not announce_when_due(post.services)


def test_a_week_is_waited_for_by_default(post: Post) -> None:
    post.approved(100)
    post.advance_days(6)
    assert not announce_when_due(post.services)
    post.advance_days(1)
    assert announce_when_due(post.services)


def test_a_draw_that_waits_for_days_raises_an_alarm_that_ends_with_it(post: Post) -> None:
    announced(post)
    sample_pass(post.services)
    with post.services.work(write=False) as work:
        assert "sample-draw-late" not in work.alarms.open_counts()
    post.advance_days(3)
    sample_pass(post.services)
    with post.services.work(write=False) as work:
        assert work.alarms.open_counts()["sample-draw-late"] == 1
    final(post)
    sample_pass(post.services)
    with post.services.work(write=False) as work:
        assert "sample-draw-late" not in work.alarms.open_counts()


def test_a_final_block_that_changes_all_the_same_raises_an_alarm(post: Post) -> None:
    announced(post)
    final(post)
    sample_pass(post.services)
    post.ledger.branch = b"another"
    sample_pass(post.services)
    with post.services.work(write=False) as work:
        assert work.alarms.open_counts()["sample-block-changed"] == 1


def test_without_the_ledger_nothing_is_announced_or_drawn(post: Post) -> None:
    post.approved(100)
    post.ledger.is_down = True
    with pytest.raises(LedgerUnavailableError):
        announce(post.services, by="周审")
    post.ledger.is_down = False
    announce(post.services, by="周审")
    post.anchor_announcements()
    final(post)
    post.ledger.is_down = True
    with pytest.raises(LedgerUnavailableError):
        draw(post.services, 1)
    assert post.rows(tables.sample_draw) == 0


@pytest.mark.parametrize("by", ["", " ", "名" * 61])
def test_an_announcement_names_somebody(post: Post, by: str) -> None:
    post.approved(100)
    with pytest.raises(SamplingError, match="somebody must be named"):
        announce(post.services, by=by)


def test_a_period_does_not_end_in_the_future(post: Post) -> None:
    post.approved(100)
    until = post.services.clock.now()
    post.advance_days(-1)
    with pytest.raises(SamplingError, match="may not end in the future"):
        announce(post.services, until=until, by="周审")


def test_an_unknown_sample_is_not_found(post: Post) -> None:
    with pytest.raises(NotFoundError, match="no sample 7"):
        draw(post.services, 7)
    client = create_app(post.services).test_client()
    assert client.get("/v/draws/7", base_url="https://localhost").status_code == 404


def test_anybody_reads_the_draws_without_signing_in_and_finds_nobody_in_them(post: Post) -> None:
    announced(post)
    final(post)
    draw(post.services, 1)
    client = create_app(post.services).test_client()
    listed = client.get("/v/draws", base_url="https://localhost").get_json()["draws"]
    assert [one["sequence"] for one in listed] == [1]
    assert 0 < listed[0]["anchored_in"] < listed[0]["block_number"]
    answer = client.get("/v/draws/1", base_url="https://localhost")
    verify_draw(answer.get_json())
    text = answer.get_data(as_text=True)
    person = post.world.people[0]
    for secret in (person.name, person.identity_number, person.id, "clm_", "dec_"):
        assert secret not in text


def test_the_list_says_what_each_sample_waits_for(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.bootstrap.build_services", lambda: post.services)

    def listed() -> str:
        return CliRunner().invoke(command, ["list"]).output

    post.approved(100)
    announce(post.services, by="周审")
    assert "waits for the ledger" in listed()
    post.anchor_announcements()
    with post.services.work(write=False) as work:
        number = work.samples.last().announcement.block_number
    assert f"等区块 {number} waits for its block" in listed()
    final(post)
    draw(post.services, 1)
    assert "已抽取 drawn" in listed()
