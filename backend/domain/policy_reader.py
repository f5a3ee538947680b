"""From the JSON of a policy pack to :class:`PolicyPack`, or every fault with its JSON path."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from backend.domain.bill import LOCAL_CARE
from backend.domain.catalogue import BP, Catalogue
from backend.domain.invoice import VisitKind
from backend.domain.open_points import OpenEffect, OpenPoint
from backend.domain.person import (
    CIVIL_SERVANT_RANKS,
    EMPLOYEE,
    HARDSHIP_CODES,
    IN_SERVICE,
    RESIDENT,
    RESIDENT_PERSON,
    RETIRED,
)
from backend.domain.policy import (
    HOSPITAL_LEVELS,
    POLICY_FORMAT,
    AidRule,
    Band,
    CapRule,
    ClaimDeadline,
    ClassBRule,
    DeductibleMode,
    DeductibleRule,
    DeductibleWaiver,
    Fund,
    Layer2Rule,
    Merging,
    PolicyPack,
    RatioRule,
    RemoteModel,
    RemoteRule,
    Source,
    TierBasis,
)
from backend.domain.record_reader import Faults, Reader
from backend.domain.selector import NO_STATUS, Case, Selector
from verifier.commitment.canonical import canonical_bytes
from verifier.errors import VerificationError

RULES_MAX: Final = 1_000
BANDS_MAX: Final = 50
MONTHS_MAX: Final = 120
CONFIDENCES: Final = ("verified", "second-hand", "unverified", "fixture")
_DIAGNOSIS: Final = re.compile(r"[A-Z][A-Z0-9.]{0,9}")
_MONTH_DAY: Final = re.compile(r"\d{2}-\d{2}")
_CASES: Final = (
    (EMPLOYEE, IN_SERVICE),
    (EMPLOYEE, RETIRED),
    (RESIDENT, RESIDENT_PERSON),
)
_STATUSES: Final = tuple(
    itertools.product((NO_STATUS, *HARDSHIP_CODES), (NO_STATUS, *CIVIL_SERVANT_RANKS))
)


class _Selecting(Protocol):
    @property
    def selector(self) -> Selector: ...


def parse_policy_pack(value: object, catalogue: Catalogue | None = None) -> PolicyPack:
    """Parse and check a pack. Raises :class:`MalformedDataError` with all its faults.

    ``catalogue`` must be the one that the pack names by digest; a pack whose ``catalogue`` says
    ``"mode": "bill-class"`` takes none and believes the class printed on each line.
    """
    faults = Faults("POLICY PACK")
    reader = Reader(value, "", faults)
    try:
        policy_hash = hashlib.sha256(canonical_bytes(value)).digest()  # type: ignore[arg-type]
    except VerificationError as error:
        faults.add("", "含有小数、空值或布尔值", str(error))
        policy_hash = bytes(32)
    reader.text("format", choices=(POLICY_FORMAT,))
    class_b = reader.child("class_b")
    remote = reader.child("remote")
    clocks = reader.child("clocks")
    mode, digest, file_name = _catalogue_reference(reader.child("catalogue"))
    source_ids: set[str] = set()
    sources = tuple(_source(entry, source_ids) for entry in reader.children("sources"))
    rule_id = _RuleIds(source_ids).take

    pack = PolicyPack(
        pack_id=reader.text("pack_id", length_max=64),
        region=reader.text("region", length_max=6),
        name_zh=reader.text("name_zh"),
        name_en=reader.text("name_en"),
        effective_from=reader.day("effective_from"),
        effective_to=reader.day("effective_to"),
        class_b=_class_b(class_b, rule_id(class_b)),
        deductibles=tuple(
            _deductible(entry, rule_id)
            for entry in reader.children("deductibles", size_max=RULES_MAX)
        ),
        ratios=tuple(
            _ratio(entry, rule_id(entry)) for entry in reader.children("ratios", size_max=RULES_MAX)
        ),
        caps=tuple(
            _cap(entry, rule_id(entry)) for entry in reader.children("caps", size_max=RULES_MAX)
        ),
        remote_model=_remote_model(remote),
        remote=tuple(
            _remote(entry, rule_id(entry)) for entry in remote.children("statuses", size_max=50)
        ),
        layer2=tuple(
            _layer2(entry, rule_id(entry))
            for entry in reader.children("layer2", size_max=RULES_MAX)
        ),
        layer3=tuple(
            _aid(entry, rule_id(entry), "hardship")
            for entry in reader.children("layer3", optional=True, size_max=RULES_MAX)
        ),
        supplement=tuple(
            _aid(entry, rule_id(entry), "ranks")
            for entry in reader.children("supplement", optional=True, size_max=RULES_MAX)
        ),
        claim_deadline=_claim_deadline(clocks, rule_id),
        open_points=_open_points(reader, source_ids),
        sources=sources,
        promise_working_days=clocks.integer("promise_working_days", low=1, high=60),
        legal_working_days=clocks.integer("legal_working_days", low=1, high=365),
        policy_hash=policy_hash,
        catalogue=catalogue if mode == "catalogue" else None,
        catalogue_digest=digest,
        catalogue_file=file_name,
    )
    for section in (class_b, remote, clocks, reader):
        section.finish()
    _check_whole(pack, reader, mode, catalogue)
    faults.raise_if_any()
    return pack


class _RuleIds:
    """Takes the id of each rule: used once in the pack, its source one that the pack names."""

    def __init__(self, source_ids: set[str]) -> None:
        self._source_ids = source_ids
        self._seen: set[str] = set()

    def take(self, entry: Reader) -> str:
        found = entry.text("rule_id", length_max=64)
        if found in self._seen:
            entry.fault("rule_id", "重复", "is used twice")
        self._seen.add(found)
        source = entry.text("source")
        if source and source not in self._source_ids:
            entry.fault("source", "来源不存在", "names no source of this pack")
        entry.text("note", "", length_max=1_000)
        return found


def _catalogue_reference(reader: Reader) -> tuple[str, bytes | None, str]:
    mode = reader.text("mode", choices=("catalogue", "bill-class"))
    digest: bytes | None = None
    file_name = ""
    if mode == "catalogue":
        digest = reader.sha256("sha256")
        file_name = reader.text("file", length_max=100)
        if "/" in file_name or "\\" in file_name or file_name.startswith("."):
            reader.fault("file", "只能是同目录下的文件名", "is not a plain file name")
    reader.finish()
    return mode, digest, file_name


def _source(entry: Reader, source_ids: set[str]) -> Source:
    source = Source(
        source_id=entry.text("source_id", length_max=64),
        title=entry.text("title"),
        confidence=entry.text("confidence", choices=CONFIDENCES),
        zh=entry.text("zh", length_max=2_000),
        en=entry.text("en", length_max=2_000),
    )
    source_ids.add(source.source_id)
    entry.finish()
    return source


def _selector(entry: Reader, *, by_rank: bool = False) -> Selector:
    """The selector of a rule; only the rules of the civil-servant supplement ask for a rank."""
    ranks = entry.texts("ranks", CIVIL_SERVANT_RANKS) if by_rank else frozenset()
    return Selector(
        insurance_types=entry.texts("insurance_types", (EMPLOYEE, RESIDENT)),
        visit_kinds=entry.texts("visit_kinds", tuple(str(kind) for kind in VisitKind)),
        person_types=entry.texts("person_types", (IN_SERVICE, RETIRED, RESIDENT_PERSON)),
        hospital_levels=entry.integers("hospital_levels", HOSPITAL_LEVELS),
        hardship=entry.texts("hardship", (NO_STATUS, *HARDSHIP_CODES)),
        ranks=ranks,
    )


def _bands(
    entry: Reader, first_over: int | None, *, share: str = "ratio_bp", with_retired: bool = False
) -> tuple[Band, ...]:
    """Rising bands of ``share``; only the pool's ratios take an explicit one for the retired."""
    bands = []
    for row in entry.children("bands", size_max=BANDS_MAX):
        retired = row.optional_integer("retired_ratio_bp", high=BP) if with_retired else None
        bands.append(Band(row.integer("over_fen"), row.integer(share, high=BP), retired))
        row.finish()
    edges = [band.over_fen for band in bands]
    if not bands or sorted(set(edges)) != edges:
        entry.fault("bands", "应从低到高且不重复", "has no bands, or they do not rise")
    elif first_over is not None and edges[0] != first_over:
        entry.fault("bands/0/over_fen", f"应为 {first_over}", f"is not {first_over}")
    return tuple(bands)


def _class_b(entry: Reader, rule_id: str) -> ClassBRule:
    """Flat (``selfpay_bp``) or tiered (``bands`` with the ``base`` that they are laid on)."""
    if not entry.has("bands"):
        return ClassBRule(rule_id, (Band(0, entry.integer("selfpay_bp", high=BP)),))
    bases = tuple(str(base) for base in TierBasis)
    base = entry.text("base", choices=bases)
    bands = _bands(entry, 0, share="selfpay_bp")
    # A fault is noted already where there are no bands; the rule needs one to be a rule.
    return ClassBRule(
        rule_id,
        bands or (Band(0, 0),),
        TierBasis(base) if base in bases else TierBasis.LINE_AMOUNT,
    )


def _deductible(entry: Reader, take_id: Callable[[Reader], str]) -> DeductibleRule:
    modes = tuple(str(mode) for mode in DeductibleMode)
    mergings = tuple(str(merging) for merging in Merging)
    mode = entry.text("mode", choices=modes)
    merging = entry.text("merging", "none", choices=mergings)
    rule = DeductibleRule(
        rule_id=take_id(entry),
        selector=_selector(entry),
        mode=DeductibleMode(mode) if mode in modes else DeductibleMode.PER_VISIT,
        standard_fen=entry.integer("standard_fen"),
        merging=Merging(merging) if merging in mergings else Merging.NONE,
        ceiling_fen=entry.optional_integer("year_ceiling_fen"),
        stops_above_standard=entry.integer("stops_above_standard", 0, high=1) == 1,
        later_standard_fen=entry.optional_integer("later_standard_fen"),
        waivers=tuple(
            _waiver(row, take_id(row))
            for row in entry.children("waivers", optional=True, size_max=BANDS_MAX)
        ),
    )
    if rule.later_standard_fen is not None and rule.mode is not DeductibleMode.PER_VISIT:
        entry.fault("later_standard_fen", "只用于按次起付", "belongs to mode per-visit alone")
    if rule.stops_above_standard and rule.mode is not DeductibleMode.ONCE_PER_YEAR_TOPPED_UP:
        entry.fault(
            "stops_above_standard",
            "只用于按年收取一次不足补齐",
            "belongs to mode once-per-year-topped-up alone",
        )
    entry.finish()
    return rule


def _waiver(entry: Reader, rule_id: str) -> DeductibleWaiver:
    prefixes = tuple(sorted(entry.texts("diagnosis_prefixes")))
    if not prefixes or not all(_DIAGNOSIS.fullmatch(prefix) for prefix in prefixes):
        entry.fault("diagnosis_prefixes", "不是诊断编码前缀", "are no prefixes of diagnosis codes")
    waiver = DeductibleWaiver(rule_id, prefixes, entry.integer("from_stay", 1, low=1, high=100))
    entry.finish()
    return waiver


def _ratio(entry: Reader, rule_id: str) -> RatioRule:
    rule = RatioRule(
        rule_id=rule_id,
        selector=_selector(entry),
        bands=_bands(entry, 0, with_retired=True),
        is_yearly_base=entry.text("base", "visit", choices=("visit", "year")) == "year",
        retired_bonus_bp=entry.integer("retired_bonus_bp", 0, high=BP),
        retired_share_bp=entry.optional_integer("retired_share_bp", high=BP),
    )
    if rule.retired_bonus_bp and rule.retired_share_bp is not None:
        entry.fault(
            "retired_share_bp", "与加成只能二选一", "and retired_bonus_bp exclude each other"
        )
    entry.finish()
    return rule


def _cap(entry: Reader, rule_id: str) -> CapRule:
    rule = CapRule(rule_id, _selector(entry), entry.integer("limit_fen"))
    entry.finish()
    return rule


def _remote_model(reader: Reader) -> RemoteModel:
    models = tuple(str(model) for model in RemoteModel)
    model = reader.text("model", choices=models)
    return RemoteModel(model) if model in models else RemoteModel.FACTOR


def _remote(entry: Reader, rule_id: str) -> RemoteRule:
    rule = RemoteRule(
        rule_id=rule_id,
        status=entry.text("status", length_max=40),
        value_bp=entry.integer("value_bp", high=BP),
        zh=entry.text("zh"),
        en=entry.text("en"),
    )
    entry.finish()
    return rule


def _layer2(entry: Reader, rule_id: str) -> Layer2Rule:
    funds = tuple(str(fund) for fund in Fund)
    fund = entry.text("fund", choices=funds)
    rule = Layer2Rule(
        rule_id=rule_id,
        selector=_selector(entry),
        fund=Fund(fund) if fund in funds else Fund.RESIDENT_SERIOUS,
        bands=_bands(entry, None),
        cap_fen=entry.optional_integer("cap_fen"),
    )
    entry.finish()
    return rule


def _aid(entry: Reader, rule_id: str, named_by: str) -> AidRule:
    """A rule of layer 3 or of the supplement; it must say for whom it is meant."""
    rule = AidRule(
        rule_id=rule_id,
        selector=_selector(entry, by_rank=named_by == "ranks"),
        bands=_bands(entry, None),
        is_yearly_base=entry.text("base", choices=("visit", "year")) == "year",
        cap_fen=entry.optional_integer("cap_fen"),
    )
    codes = rule.selector.ranks if named_by == "ranks" else rule.selector.hardship
    if not codes or NO_STATUS in codes:
        entry.fault(named_by, "要写明适用的人员", "does not say for whom the rule is meant")
    entry.finish()
    return rule


def _claim_deadline(clocks: Reader, rule_id: Callable[[Reader], str]) -> ClaimDeadline | None:
    """The optional ``clocks/claim_deadline``: months, or a day of the next calendar year."""
    if not clocks.has("claim_deadline"):
        return None
    entry = clocks.child("claim_deadline")
    deadline_id = rule_id(entry)
    months = entry.optional_integer("months", low=1, high=MONTHS_MAX)
    until: tuple[int, int] | None = None
    if entry.has("next_year_until"):
        text = entry.text("next_year_until")
        try:
            # A year without 29 February: a deadline must exist every year.
            day = dt.date.fromisoformat(f"2001-{text}") if _MONTH_DAY.fullmatch(text) else None
        except ValueError:
            day = None
        if day is None:
            entry.fault("next_year_until", "不是每年都有的 MM-DD", "is not an MM-DD of every year")
        else:
            until = (day.month, day.day)
    if entry.has("months") == entry.has("next_year_until"):
        entry.fault(
            "months", "与 next_year_until 只能写一个", "or next_year_until: give one of them"
        )
    entry.finish()
    return ClaimDeadline(deadline_id, months, until)


def _open_points(reader: Reader, source_ids: set[str]) -> tuple[OpenPoint, ...]:
    """The optional section ``open``: what the sources leave open, and what follows."""
    effects = tuple(str(effect) for effect in OpenEffect)
    seen: set[str] = set()
    points = []
    for entry in reader.children("open", optional=True, size_max=RULES_MAX):
        open_id = entry.text("open_id", length_max=64)
        if open_id in seen:
            entry.fault("open_id", "重复", "is used twice")
        seen.add(open_id)
        effect = entry.text("effect", choices=effects)
        source_id = entry.text("source")
        if source_id and source_id not in source_ids:
            entry.fault("source", "来源不存在", "names no source of this pack")
        point = OpenPoint(
            open_id=open_id,
            effect=OpenEffect(effect) if effect in effects else OpenEffect.NOTE,
            source_id=source_id,
            zh=entry.text("zh"),
            en=entry.text("en"),
            selector=_selector(entry, by_rank=True),
            remote_statuses=entry.texts("remote_statuses"),
            year_in_scope_over_fen=entry.optional_integer("year_in_scope_over_fen"),
            figures=tuple(sorted(entry.texts("figures"))),
        )
        entry.finish()
        points.append(point)
    return tuple(points)


def _check_whole(pack: PolicyPack, reader: Reader, mode: str, catalogue: Catalogue | None) -> None:
    if pack.effective_to < pack.effective_from:
        reader.fault("effective_to", "早于生效日期", "is before effective_from")
    if mode == "catalogue" and (catalogue is None or catalogue.digest != pack.catalogue_digest):
        reader.fault("catalogue/sha256", "与目录文件不一致", "is not the catalogue's digest")
    statuses = [rule.status for rule in pack.remote]
    if LOCAL_CARE not in statuses or len(set(statuses)) != len(statuses):
        reader.fault("remote/statuses", "缺少 local 或重复", "lacks local, or repeats a status")
    known = {*statuses, LOCAL_CARE}
    for index, point in enumerate(pack.open_points):
        if point.remote_statuses - known:
            reader.fault(
                f"open/{index}/remote_statuses",
                "有政策包里没有的异地就医状态",
                "names a remote status that the pack does not have",
            )
        if point.effect is OpenEffect.NO_RULE and (
            point.remote_statuses or point.year_in_scope_over_fen is not None
        ):
            reader.fault(
                f"open/{index}/effect",
                "没有规则只能按人员和就诊类别说明",
                "no-rule goes by person and visit alone",
            )
    _check_cases(pack, reader)


def _check_cases(pack: PolicyPack, reader: Reader) -> None:
    """No case has two rules of a layer; deductible and ratio come together; and where layer 2
    parts persons by hardship it leaves none of them out."""
    sections: tuple[tuple[str, Sequence[_Selecting]], ...] = (
        ("deductibles", pack.deductibles),
        ("ratios", pack.ratios),
        ("layer2", pack.layer2),
        ("layer3", pack.layer3),
        ("supplement", pack.supplement),
    )
    for (insurance, person), kind, level in itertools.product(_CASES, VisitKind, HOSPITAL_LEVELS):
        where = f"{insurance}/{person}/{kind}/{level}"
        counts = {
            name: _count(rules, Case(insurance, str(kind), person, level))
            for name, rules in sections
        }
        for name, found in counts.items():
            if max(found) > 1:
                many = max(found)
                reader.fault(name, f"{where} 有 {many} 条规则", f"has {many} rules for {where}")
        if [n == 0 for n in counts["deductibles"]] != [n == 0 for n in counts["ratios"]]:
            reader.fault("ratios", f"{where} 规则不全", f"and deductibles do not both have {where}")
        if max(counts["ratios"]) > 0 and any(
            point.effect is OpenEffect.NO_RULE
            and point.selector.matches(Case(insurance, str(kind), person, level))
            for point in pack.open_points
        ):
            reader.fault(
                "open", f"{where} 有规则却说没有", f"says no-rule of {where}, which has one"
            )
        if min(counts["layer2"]) == 0 < max(counts["layer2"]):
            reader.fault("layer2", f"{where} 漏了部分人员", f"leaves out some persons of {where}")


def _count(rules: Sequence[_Selecting], case: Case) -> list[int]:
    """How many rules match the case, for each hardship status and rank."""
    if not any(rule.selector.hardship or rule.selector.ranks for rule in rules):
        return [sum(rule.selector.matches(case) for rule in rules)] * len(_STATUSES)
    return [
        sum(rule.selector.matches(case._replace(hardship=hardship, rank=rank)) for rule in rules)
        for hardship, rank in _STATUSES
    ]
