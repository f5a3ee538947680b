"""For every rule: one claim that it hits and at least two that it must let pass, though near."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

from backend.domain.audit.facts import (
    AccidentDeclaration,
    AuditFacts,
    ClaimFacts,
    ClaimKind,
    ClaimOrigin,
    InstitutionFacts,
    Liability,
)
from backend.domain.invoice import Attachment, AttachmentType
from tests.unit.audit.scenes import (
    ADMITTED,
    DAY,
    ELSEWHERE,
    MAN,
    WOMAN,
    aged,
    day,
    facts,
    group,
    inpatient,
    line,
    other,
    outpatient,
    stay,
)


@dataclass(frozen=True)
class Case:
    hit: AuditFacts
    misses: tuple[AuditFacts, ...]


def case(hit: AuditFacts, *misses: AuditFacts) -> Case:
    return Case(hit, misses)


OUTSIDE: Final = ClaimFacts(origin=ClaimOrigin.OUTSIDE)


def declared(liability: Liability = Liability.NONE, *, signed: bool = True) -> ClaimFacts:
    return ClaimFacts(
        ClaimKind.ACCIDENT, accident=AccidentDeclaration(liability, signed, day(5, 12))
    )


FORM: Final = {
    "fmt-number": case(
        facts(outpatient(invoice_number="123456789")),
        facts(outpatient(invoice_code="", invoice_number="26332000000000012345", check_code="")),
        facts(outpatient(invoice_code="033001900111", invoice_number="12345678", check_code="")),
        facts(outpatient(invoice_code="00000000", invoice_number="0000000000")),
    ),
    "fmt-check-code": case(
        facts(outpatient(check_code="12345")),
        facts(outpatient(check_code="1a2B3c")),
        facts(outpatient(check_code="")),
        facts(outpatient(invoice_code="", invoice_number="2" * 20, check_code="ABCD")),
    ),
    "fmt-five-elements": case(
        facts(outpatient(check_code=""), claim=OUTSIDE),
        facts(outpatient(), claim=OUTSIDE),
        facts(outpatient(invoice_code="", invoice_number="2" * 20, check_code=""), claim=OUTSIDE),
    ),
    "fmt-unreadable-line": case(
        facts(outpatient(line("阿莫?林"))),
        facts(outpatient(line("阿莫西林"))),
        facts(outpatient(line("阿莫西林", remark="?"))),
    ),
    "fmt-incomplete-line": case(
        facts(outpatient(line(), line(quantity=0))),
        facts(outpatient(line("氯化钠", quantity_e4=1, price_e6=10_000_000, amount_e4=10))),
        facts(outpatient(line("0"))),
    ),
    "fmt-negative-line": case(
        facts(outpatient(line(), line(quantity=-1, fen=100))),
        facts(outpatient(line(quantity=-1, fen=100))),  # a red bill is all negative
        facts(outpatient(line(quantity=1, fen=1))),
    ),
    "fmt-no-diagnosis": case(
        facts(outpatient(diagnosis_code="")),
        facts(outpatient(diagnosis_code="I10")),
        facts(outpatient(diagnosis_code="不详")),  # another rule's business
    ),
    "fmt-bad-diagnosis": case(
        facts(outpatient(diagnosis_code="高血压")),
        facts(outpatient(diagnosis_code="I10")),
        facts(outpatient(diagnosis_code="S06.000x001")),
        facts(outpatient(diagnosis_code="E11.900+")),
    ),
    "fmt-dates-swapped": case(
        facts(inpatient(admitted_on=day(5, 14), discharged_on=DAY)),
        facts(inpatient(admitted_on=DAY, discharged_on=DAY)),
        facts(inpatient(admitted_on=day(5, 12), discharged_on=DAY)),
    ),
    "fmt-future-date": case(
        facts(outpatient(issued_on=day(5, 21))),
        facts(outpatient(issued_on=day(5, 20))),
        facts(inpatient(discharged_on=day(5, 20))),
    ),
    "fmt-line-outside-visit": case(
        facts(inpatient(line(on=day(5, 5)))),
        facts(inpatient(line(on=ADMITTED), line(on=DAY))),
        facts(outpatient(line(on=DAY))),
    ),
}

IDENTITY: Final = {
    "id-name": case(
        facts(outpatient(payer_name="测试乙")),
        facts(outpatient(payer_name=" 测试甲 ")),
        facts(outpatient(payer_name="测试 甲")),
    ),
    "id-gender": case(
        facts(person=MAN),
        facts(outpatient(gender="女性")),
        facts(outpatient(gender="2")),
    ),
    "id-age": case(
        facts(outpatient(age="48")),
        facts(outpatient(age="47岁")),
        facts(outpatient(age="45")),
    ),
}

SUMS: Final = {
    "sum-lines": case(
        facts(outpatient(line(fen=1_000), total_fen=1_001, own_pay_fen=1_001)),
        facts(outpatient(line(fen=1_000))),
        # three lines of 10.0050 are 30.015: rounded once, 30.02
        facts(outpatient(*[line(price_e6=10_005_000, amount_e4=100_050)] * 3, total_fen=3_002)),
    ),
    "sum-items": case(
        facts(replace(outpatient(line(fen=1_000)), total_fen=1_010)),
        facts(outpatient()),
        facts(outpatient(line(fen=1), line(fen=2))),
    ),
    "sum-payers-beyond": case(
        facts(outpatient(other_pay_fen=700, account_pay_fen=301, own_pay_fen=0)),
        facts(outpatient(other_pay_fen=700, account_pay_fen=300, own_pay_fen=0)),
        facts(outpatient(other_pay_fen=0, own_pay_fen=2_000)),  # own money is no other payer
    ),
    "sum-payers": case(
        facts(outpatient(own_pay_fen=999)),
        facts(outpatient(own_pay_fen=600, other_pay_fen=400)),
        facts(outpatient(own_pay_fen=1, account_pay_fen=999)),
    ),
    "sum-person-parts": case(
        facts(outpatient(self_payment_fen=600, self_expense_fen=401)),
        facts(outpatient(self_payment_fen=600, self_expense_fen=400)),
        facts(outpatient(self_payment_fen=None, self_expense_fen=1_000)),
    ),
    "sum-price-quantity": case(
        facts(outpatient(line(quantity_e4=20_000, price_e6=5_000_000, amount_e4=100_101))),
        facts(outpatient(line(quantity_e4=20_000, price_e6=5_000_000, amount_e4=100_100))),
        facts(outpatient(line(quantity_e4=120_000, price_e6=3_333_300, amount_e4=399_996))),
    ),
}

FIVE_LINES: Final = outpatient(*(line(f"药{n}") for n in range(5)))

DUPLICATES: Final = {
    "dup-key": case(
        facts(twins=(other(invoice_number="0010000001", institution_code=ELSEWHERE),)),
        facts(twins=(other(invoice_number="0010000002", institution_code=ELSEWHERE),)),
        facts(
            twins=(
                other(
                    invoice_number="0010000001",
                    invoice_code="33060226",
                    institution_code=ELSEWHERE,
                ),
            )
        ),
    ),
    "dup-content": case(
        facts(others=(other(institution_code=ELSEWHERE),)),
        facts(others=(other(service_on=day(5, 12)),)),
        facts(others=(other(outpatient(line(fen=1_001))),)),
        facts(others=(other(outpatient(line("法莫替丁片"))),)),  # same amount, other lines
    ),
    "dup-amount-elsewhere": case(
        facts(
            outpatient(line(fen=6_000)),
            others=(other(outpatient(line("片", fen=6_000)), institution_code=ELSEWHERE),),
        ),
        facts(  # the same hospital
            outpatient(line(fen=6_000)), others=(other(outpatient(line("片", fen=6_000))),)
        ),
        facts(  # two days apart
            outpatient(line(fen=6_000)),
            others=(
                other(
                    outpatient(line("片", fen=6_000)),
                    institution_code=ELSEWHERE,
                    service_on=day(5, 15),
                ),
            ),
        ),
        facts(  # small amounts are alike by chance
            outpatient(line(fen=4_999)),
            others=(other(outpatient(line("片", fen=4_999)), institution_code=ELSEWHERE),),
        ),
    ),
    "dup-other-person": case(
        facts(FIVE_LINES, twins=(other(FIVE_LINES, is_same_person=False),)),
        facts(FIVE_LINES, twins=(other(FIVE_LINES, is_same_person=True),)),
        facts(
            outpatient(*FIVE_LINES.lines[:4]),
            twins=(other(outpatient(*FIVE_LINES.lines[:4]), is_same_person=False),),
        ),
    ),
}

BED: Final = "普通病房床位费(三人间)"
ROUNDS: Final = "住院诊察费"
NURSING: Final = "Ⅱ级护理"

CHARGING: Final = {
    "chg-repeated": case(
        facts(outpatient(line("血常规", "04"), line("血常规", "04"))),
        facts(inpatient(line("血常规", "04", on=ADMITTED), line("血常规", "04", on=DAY))),
        facts(outpatient(line("血常规", "04"), line("尿常规", "04"))),
        facts(outpatient(line("空腹血糖", "04"), line("空腹血糖", "04"))),  # measured often
        facts(outpatient(line("阿莫西林"), line("阿莫西林"))),
    ),
    "chg-exclusive": case(
        facts(outpatient(line("一般诊疗费", "12"), line("普通门诊诊察费", "02"))),
        facts(
            inpatient(line("Ⅰ级护理", "07", on=ADMITTED), line("Ⅲ级护理", "07", on=DAY)),
        ),
        facts(outpatient(line("一般诊疗费", "12"), line("静脉输液", "05"))),
    ),
    "chg-bed-days": case(
        facts(inpatient(line(BED, "01", quantity=9))),
        facts(inpatient(line(BED, "01", quantity=8))),
        facts(inpatient(line(ROUNDS, "02", quantity=9))),
    ),
    "chg-nursing-days": case(
        facts(inpatient(line(NURSING, "07", quantity=5), line("Ⅰ级护理", "07", quantity=4))),
        facts(inpatient(line(NURSING, "07", quantity=5), line("Ⅰ级护理", "07", quantity=3))),
        facts(inpatient(line("重症监护护理", "07", quantity=100))),  # by the hour
    ),
    "chg-ward-round-days": case(
        facts(inpatient(line(ROUNDS, "02", quantity=9))),
        facts(inpatient(line(ROUNDS, "02", quantity=8))),
        facts(inpatient(line("普通门诊诊察费", "02", quantity=9))),
    ),
    "chg-several-bills": case(
        facts(others=(other(reference="a"), other(reference="b"))),
        facts(others=(other(reference="a"),)),
        facts(others=(other(reference="a"), other(reference="b", institution_code=ELSEWHERE))),
        facts(others=(other(reference="a"), other(reference="b", total_fen=-1_000))),
        facts(others=(other(reference="a"), other(reference="b", service_on=day(5, 12)))),
    ),
    "chg-one-stay": case(
        facts(inpatient(), others=(stay(ADMITTED, DAY, visit_number="ZY1"),)),
        facts(inpatient(), others=(stay(ADMITTED, DAY, visit_number="ZY2"),)),
        facts(
            inpatient(),
            others=(stay(ADMITTED, DAY, visit_number="ZY1", institution_code=ELSEWHERE),),
        ),
    ),
}

PRESSURE: Final = "XC08CAD186A001010194258"
OXYGEN: Final = "氧气吸入"


def boxes(quantity: int, unit: str = "盒") -> AuditFacts:
    return facts(outpatient(line("氨氯地平片", code=PRESSURE, quantity=quantity, unit=unit)))


def bought(now: int, before: int, on: dt.date = DAY, kind: str = "outpatient") -> AuditFacts:
    tablets = outpatient(line("氨氯地平片", code=PRESSURE, quantity=before))
    earlier = other(tablets, service_on=on, institution_code=ELSEWHERE)
    if kind == "inpatient":
        earlier = replace(earlier, visit_kind=inpatient().visit_kind)
    return replace(boxes(now), others=(earlier,))


QUANTITY: Final = {
    "qty-day": case(
        facts(inpatient(line(OXYGEN, "05", quantity=25, on=DAY))),
        facts(inpatient(line(OXYGEN, "05", quantity=24, on=DAY))),
        facts(
            inpatient(
                line(OXYGEN, "05", quantity=20, on=DAY),
                line(OXYGEN, "05", quantity=20, on=ADMITTED),
            )
        ),
        facts(inpatient(line(OXYGEN, "05", quantity=192))),  # eight days without a date each
    ),
    "qty-visit": case(
        facts(inpatient(line("药物洗脱冠脉支架", "08", quantity=5))),
        facts(inpatient(line("药物洗脱冠脉支架", "08", quantity=4))),
        facts(inpatient(line("经皮冠状动脉支架置入术", "06", quantity=5))),
    ),
    "qty-days-of-supply": case(boxes(13), boxes(12), boxes(90, "片")),
    "qty-hospitals": case(
        bought(7, 6),
        bought(6, 6),
        bought(7, 6, day(4, 13)),
        bought(7, 6, kind="inpatient"),
        bought(13, 0),
    ),
    "qty-many-drugs": case(
        facts(outpatient(*(line(f"药{n}") for n in range(16)))),
        facts(outpatient(*(line(f"药{n}") for n in range(15)))),
        facts(outpatient(*(line(f"药{n}") for n in range(8)), *(line(f"药{n}") for n in range(8)))),
    ),
}

STAYS: Final = {
    "stay-split": case(
        facts(
            inpatient(),
            others=(stay(day(4, 20), day(5, 3), institution_code=ELSEWHERE),),
        ),
        facts(inpatient(), others=(stay(day(4, 20), day(5, 2)),)),
        facts(inpatient(), others=(stay(day(4, 20), day(5, 3), diagnosis_code="J18.900"),)),
    ),
    "stay-readmission": case(
        facts(inpatient(), others=(stay(day(4, 20), day(4, 26)),)),
        facts(inpatient(), others=(stay(day(4, 20), day(4, 25)),)),
        facts(inpatient(), others=(stay(day(4, 20), day(4, 26), institution_code=ELSEWHERE),)),
        facts(inpatient(), others=(other(service_on=day(5, 1)),)),  # not a stay
    ),
    "stay-overlap": case(
        facts(inpatient(), others=(other(service_on=day(5, 8)),)),
        facts(inpatient(), others=(other(service_on=ADMITTED),)),
        facts(inpatient(), others=(stay(DAY, day(5, 20)),)),  # moved on the day of discharge
    ),
    "stay-long": case(
        facts(inpatient(admitted_on=day(3, 13), hospital_days="61")),
        facts(inpatient(admitted_on=day(3, 14), hospital_days="60")),
        facts(inpatient()),
    ),
    "stay-idle": case(
        facts(inpatient(*(line(BED, "01", on=day(5, n)) for n in range(6, 13)), line(on=DAY))),
        facts(
            inpatient(
                *(line(BED, "01", on=day(5, n)) for n in range(6, 13)),
                *(line(on=day(5, n)) for n in (6, 8, 11)),
            )
        ),
        facts(  # four days are too few to say
            inpatient(line(BED, "01", on=day(5, 9)), admitted_on=day(5, 9), hospital_days="4")
        ),
    ),
    "stay-tests-only": case(
        facts(
            inpatient(
                line("CT平扫", "03", fen=9_000), line(BED, "01", fen=1_000),
                admitted_on=day(5, 10), hospital_days="3",
            )
        ),
        facts(
            inpatient(
                line("CT平扫", "03", fen=8_990), line(BED, "01", fen=1_010),
                admitted_on=day(5, 10), hospital_days="3",
            )
        ),
        facts(inpatient(line("CT平扫", "03", fen=9_000))),
    ),
    "stay-printed-days": case(
        facts(inpatient(hospital_days="9")),
        facts(inpatient(hospital_days="8")),
        facts(inpatient(hospital_days="6")),
    ),
}  # fmt: skip

SEX: Final = {
    "sex-pregnancy-item": case(
        facts(outpatient(line("产前检查", "03"), gender="男"), person=MAN),
        facts(outpatient(line("产前检查", "03"))),
        facts(outpatient(line("避孕指导", "05")), person=MAN),
    ),
    "sex-female-item": case(
        facts(outpatient(line("宫颈涂片", "04")), person=MAN),
        facts(outpatient(line("宫颈涂片", "04"))),
        facts(outpatient(line("颈椎牵引", "05")), person=MAN),
    ),
    "sex-male-item": case(
        facts(outpatient(line("前列腺超声", "03"))),
        facts(outpatient(line("前列腺超声", "03")), person=MAN),
        facts(outpatient(line("腺体超声", "03"))),
    ),
    "sex-female-diagnosis": case(
        facts(outpatient(diagnosis_code="O80.900"), person=MAN),
        facts(outpatient(diagnosis_code="O80.900")),
        facts(outpatient(diagnosis_code="N69.900"), person=MAN),
        facts(outpatient(diagnosis_code="C50.900"), person=MAN),  # men have it too
    ),
    "sex-male-diagnosis": case(
        facts(outpatient(diagnosis_code="N40.x00")),
        facts(outpatient(diagnosis_code="N40.x00"), person=MAN),
        facts(outpatient(diagnosis_code="N39.000")),
    ),
}

AGE: Final = {
    "age-pregnancy-item": case(
        facts(outpatient(line("产前检查", "03")), person=aged(56)),
        facts(outpatient(line("产前检查", "03")), person=aged(55)),
        facts(outpatient(line("产前检查", "03")), person=aged(12)),
    ),
    "age-paediatric-item": case(
        facts(outpatient(line("小儿氨酚黄那敏颗粒")), person=aged(18)),
        facts(outpatient(line("小儿氨酚黄那敏颗粒")), person=aged(17)),
        facts(outpatient(line("氨酚黄那敏颗粒")), person=aged(46)),
    ),
    "age-newborn-item": case(
        facts(
            outpatient(line("新生儿护理", "07")),
            person=replace(WOMAN, birth_on=day(4, 14)),
        ),
        facts(
            outpatient(line("新生儿护理", "07")),
            person=replace(WOMAN, birth_on=day(4, 15)),
        ),
        facts(outpatient(line("小儿护理", "07")), person=replace(WOMAN, birth_on=day(1, 1))),
    ),
    "age-quinolone": case(
        facts(outpatient(line("莫西沙星片")), person=aged(17)),
        facts(outpatient(line("莫西沙星片")), person=aged(18)),
        facts(outpatient(line("左氧氟沙星滴眼液")), person=aged(10)),
    ),
}

RESTRICTED: Final = {
    "rst-unapproved": case(
        facts(outpatient(line("限制药", code="R1"))),
        facts(outpatient(line("限制药", code="R1", approval_flag="1"))),
        facts(outpatient(line("限制药", code="R1", approval_flag="2"))),
        facts(outpatient(line("普通药", code="U1"))),
    ),
    "rst-needless-approval": case(
        facts(outpatient(line("普通药", code="U1", approval_flag="1"))),
        facts(outpatient(line("普通药", code="U1", approval_flag="2"))),
        facts(outpatient(line("限制药", code="R1", approval_flag="1"))),
        facts(outpatient(line("不认识的药", code="X9", approval_flag="1"))),
    ),
    "rst-diagnosis": case(
        facts(outpatient(line("人血白蛋白"), diagnosis_code="I10.x00")),
        facts(outpatient(line("人血白蛋白"), diagnosis_code="K74.600")),
        facts(outpatient(line("白蛋白测定", "04"), diagnosis_code="I10.x00")),
    ),
    "rst-prescription": case(
        facts(outpatient(line("曲妥珠单抗注射剂"))),
        facts(
            outpatient(
                line("曲妥珠单抗注射剂"),
                attachments=(Attachment(AttachmentType.PRESCRIPTION, "ab" * 32),),
            )
        ),
        facts(outpatient(line("阿莫西林"))),
    ),
}

ACCIDENTS: Final = {
    "acc-diagnosis": case(
        facts(outpatient(diagnosis_code="S06.000x001")),
        facts(outpatient(diagnosis_code="S06.000x001"), claim=declared()),
        facts(outpatient(diagnosis_code="R55.x00")),
    ),
    "acc-visit": case(
        facts(outpatient(medical_type="81")),
        facts(outpatient(medical_type="81"), claim=declared()),
        facts(outpatient(medical_type="13")),
    ),
    "acc-words": case(
        facts(outpatient(remark="车祸后复查")),
        facts(outpatient(remark="车祸后复查"), claim=declared()),
        facts(outpatient(department="外科", remark="复查")),
    ),
    "acc-items": case(
        facts(outpatient(line("破伤风抗毒素"))),
        facts(outpatient(line("破伤风抗毒素")), claim=declared()),
        facts(outpatient(line("换药(小)", "05"))),
    ),
    "acc-undertaking": case(
        facts(claim=declared(signed=False)),
        facts(claim=declared()),
        facts(claim=declared(Liability.THIRD_PARTY)),  # signed: another rule's business
    ),
    "acc-liable": case(
        facts(claim=declared(Liability.WORK)),
        facts(claim=declared()),
        facts(),
    ),
    "acc-date": case(
        facts(inpatient(), claim=declared()),
        facts(outpatient(), claim=declared()),
        facts(),
    ),
}


def remote(status: str | None, area: str = "310101", **header: str) -> AuditFacts:
    return facts(
        outpatient(**header), hospital_area=area, person=replace(WOMAN, remote_status=status)
    )


def filed_on(submitted_on: dt.date, excuse: str = "") -> AuditFacts:
    return facts(submitted_on=submitted_on, claim=ClaimFacts(excuse_code=excuse))


YEAR_LATER: Final = day(5, 13, 2027)

PLACE: Final = {
    "rem-unfiled": case(
        remote("own-choice"),
        remote("long-term-filed"),
        remote("emergency-not-filed"),
        remote("own-choice", "330881"),  # a county of the same city
    ),
    "rem-emergency": case(
        remote("emergency-not-filed", medical_type="21"),
        remote("emergency-not-filed", medical_type="24"),
        remote("referred-filed", medical_type="21"),
    ),
    "late-filing": case(
        filed_on(YEAR_LATER + dt.timedelta(days=1)),
        filed_on(YEAR_LATER),
        filed_on(YEAR_LATER + dt.timedelta(days=1), "illness"),
    ),
    "late-excused": case(
        filed_on(YEAR_LATER + dt.timedelta(days=1), "illness"),
        filed_on(YEAR_LATER, "illness"),
        filed_on(YEAR_LATER + dt.timedelta(days=1), "forgot"),
    ),
}


def of_yuan(yuan: int, size: int = 30, *, stays: bool = False) -> AuditFacts:
    bill = inpatient(line(fen=yuan * 100)) if stays else outpatient(line(fen=yuan * 100))
    return facts(bill, group=group(size, 10_000))


OUTLIERS: Final = {
    "out-above": case(of_yuan(251), of_yuan(250), of_yuan(100)),
    "out-below": case(of_yuan(39), of_yuan(40), of_yuan(100)),
    "out-high-outpatient": case(of_yuan(30_000), of_yuan(29_999), of_yuan(1)),
    "out-high-inpatient": case(
        of_yuan(100_000, stays=True), of_yuan(99_999, stays=True), of_yuan(30_000, stays=True)
    ),
    "out-high-line": case(
        of_yuan(30_000), of_yuan(29_999), facts(outpatient(*[line(fen=1_500_000)] * 2))
    ),
    "out-material-share": case(
        facts(outpatient(line("导管", "08", fen=350_000), line(fen=150_000))),
        facts(outpatient(line("导管", "08", fen=349_900), line(fen=150_100))),
        facts(outpatient(line("导管", "08", fen=349_999), line(fen=150_000))),
    ),
}


def tests_bill(tests: int, rest: int = 0) -> AuditFacts:
    made = [line(f"检验{n}", "04") for n in range(tests)] + [line()] * rest
    return facts(outpatient(*made), is_rest_day=True)


FUNDS: Final = {
    "fund-check-up-item": case(
        facts(outpatient(line("健康体检套餐", "03"))),
        facts(outpatient(line("体表肿物检查", "03"))),
        facts(outpatient(line("心电图常规检查", "03"))),
    ),
    "fund-cosmetic-item": case(
        facts(outpatient(line("重睑成形术", "06"))),
        facts(outpatient(line("鼓膜成形术", "06"))),
        facts(outpatient(line("瘢痕切除", "05"))),
    ),
    "fund-maternity-item": case(
        facts(outpatient(line("剖宫产术", "06"))),
        facts(outpatient(line("产后出血药", "09"))),
        facts(outpatient(line("胃肠减压引流", "05"))),
    ),
    "fund-visit": case(
        facts(outpatient(medical_type="51")),
        facts(outpatient(medical_type="11")),
        facts(outpatient(medical_type="15")),
    ),
    "fund-rest-day-check-up": case(
        tests_bill(8),
        tests_bill(7),
        tests_bill(8, 1),
        replace(tests_bill(8), is_rest_day=False),
    ),
}

SURGERY: Final = line("阑尾切除术", "06")
ANAESTHESIA: Final = line("全身麻醉", "05")
BLOOD: Final = line("血常规", "04")

OPERATIONS: Final = {
    "op-anaesthesia": case(
        facts(inpatient(SURGERY, BLOOD)),
        facts(inpatient(SURGERY, ANAESTHESIA)),
        facts(inpatient(SURGERY, line("利多卡因注射液"))),
        facts(inpatient(line("白内障超声乳化术", "06"))),
    ),
    "op-tests": case(
        facts(inpatient(SURGERY, ANAESTHESIA)),
        facts(inpatient(SURGERY, BLOOD)),
        facts(inpatient(SURGERY, line("CT平扫", "03"))),
    ),
    "op-anaesthesia-alone": case(
        facts(inpatient(ANAESTHESIA, BLOOD)),
        facts(inpatient(ANAESTHESIA, SURGERY)),
        facts(outpatient(line("无痛胃镜麻醉", "05"), line("胃镜检查", "03"))),
    ),
    "op-implant-alone": case(
        facts(inpatient(line("人工晶体(单焦点)", "08"))),
        facts(inpatient(line("人工晶体(单焦点)", "08"), line("白内障超声乳化术", "06"))),
        facts(inpatient(line("静脉留置针", "08"))),
    ),
}


def severe(code: str, begins: dt.date, fen: int) -> AuditFacts:
    days = str((DAY - begins).days)
    return facts(
        inpatient(line(fen=fen), diagnosis_code=code, admitted_on=begins, hospital_days=days)
    )


CODING: Final = {
    "cod-severe-short": case(
        severe("J96.000", day(5, 10), 300_000),
        severe("J96.000", day(5, 9), 300_000),
        severe("J96.000", day(5, 10), 300_001),
        severe("J18.900", day(5, 10), 300_000),
    ),
    "cod-icu-nursing": case(
        facts(inpatient(line("重症监护护理", "07"))),
        facts(inpatient(line("重症监护护理", "07"), line("重症监护病房床位费", "01"))),
        facts(inpatient(line("Ⅰ级护理", "07"))),
    ),
}


def agreed(begins: dt.date, ends: dt.date) -> AuditFacts:
    return facts(institution=InstitutionFacts(True, begins, ends))


INSTITUTION: Final = {
    "ins-unknown": case(
        facts(institution=InstitutionFacts(False)),
        facts(),
        agreed(day(1, 1), day(5, 1)),  # known, though its agreement has ended
    ),
    "ins-agreement": case(
        agreed(day(1, 1), day(5, 12)),
        agreed(day(1, 1), DAY),
        agreed(DAY, day(12, 31)),
    ),
    "ins-level": case(
        facts(outpatient(line("血液透析", "05")), hospital_level=1),
        facts(outpatient(line("血液透析", "05")), hospital_level=2),
        facts(outpatient(line("血液透析器", "08")), hospital_level=1),
    ),
    "ins-one-person": case(
        facts(outpatient(cashier="张三", checker=" 张三 ")),
        facts(outpatient(cashier="张三", checker="张三丰")),
        facts(),
    ),
    "ins-doctor-cashier": case(
        facts(outpatient(line(doctor_code="D1"), cashier="D1")),
        facts(outpatient(line(doctor_code="D1"), cashier="D2")),
        facts(outpatient(line(doctor_code="D1"), line(doctor_code=""))),
    ),
    "ins-settled-online": case(
        facts(outpatient(fund_pay_fen=600, own_pay_fen=400)),
        facts(outpatient(fund_pay_fen=600, own_pay_fen=400), claim=ClaimFacts(manual_reason="09")),
        facts(outpatient(other_pay_fen=600, own_pay_fen=400)),
    ),
}

CASES: Final[dict[str, Case]] = {
    **FORM,
    **IDENTITY,
    **SUMS,
    **DUPLICATES,
    **CHARGING,
    **QUANTITY,
    **STAYS,
    **SEX,
    **AGE,
    **RESTRICTED,
    **ACCIDENTS,
    **PLACE,
    **OUTLIERS,
    **FUNDS,
    **OPERATIONS,
    **CODING,
    **INSTITUTION,
}
