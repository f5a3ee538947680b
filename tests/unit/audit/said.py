"""For every shipped rule what a reviewer reads of its case in ``cases.py``, word for word.

By code: the line's place (None: the claim), the words in both languages, the figures kept beside
them. Each was read against the rule's meaning (``docs/audit-rules.md``) and the numbers of its
case; a rule whose words change changes here as well.
"""

from __future__ import annotations

from typing import Any, Final

Said = tuple[int | None, str, str, dict[str, Any]]

SAID: Final[dict[str, Said]] = {
    "fmt-number": (
        None,
        "票据代码 8 位、号码 9 位，不符合任何一种票据的号码规则，请核对原票。",
        "Code of 8 and number of 9 digits fit no kind of bill; compare with the original.",
        {"code_length": 8, "number_length": 9},
    ),
    "fmt-check-code": (
        None,
        "财政票据的校验码应为 6 位，这里是 5 位，请核对原票。",
        "A fiscal bill's check code has 6 characters, here 5; compare with the original.",
        {"length": 5},
    ),
    "fmt-five-elements": (
        None,
        "电子发票五要素未录入齐全，缺少：校验码。请补齐后再核验真伪。",
        "Elements of the bill are missing: the check code. Add them, then check authenticity.",
        {"missing": ["check-code"]},
    ),
    "fmt-unreadable-line": (
        0,
        "第 1 行“阿莫?林”里有问号或乱码，请核对原始清单。",
        "Line 1 holds a question mark or an unreadable character; compare with the original list.",
        {"name": "阿莫?林"},
    ),
    "fmt-incomplete-line": (
        1,
        "第 2 行缺少：数量、金额，请核对原始清单。",
        "Line 2 lacks: quantity, amount; compare with the original list.",
        {"missing": ["quantity", "amount"]},
    ),
    "fmt-negative-line": (
        1,
        "第 2 行“奥美拉唑肠溶胶囊”是负数；退费应整张冲红后重开，请核对。",
        "Line 2 is negative; a refund is a red bill for the whole and a new bill. Please check.",
        {"quantity_e4": -10000, "amount_e4": -10000},
    ),
    "fmt-no-diagnosis": (
        None,
        "票据没有诊断编码，请对照病历或处方补录。",
        "The bill has no diagnosis code; add it from the record or prescription.",
        {},
    ),
    "fmt-bad-diagnosis": (
        None,
        "诊断编码 高血压 不符合医保版 ICD-10，请核对诊断。",
        "Diagnosis code 高血压 is none of ICD-10; check the diagnosis.",
        {"diagnosis": "高血压"},
    ),
    "fmt-dates-swapped": (
        None,
        "出院日期 2026-05-13 早于入院日期 2026-05-14，日期有误，请医院更正后再报。",
        (
            "The discharge on 2026-05-13 is before the admission on 2026-05-14; "
            "the hospital has to correct it."
        ),
        {"admitted": "2026-05-14", "discharged": "2026-05-13"},
    ),
    "fmt-future-date": (
        None,
        "票据日期 2026-05-21 晚于申报日期 2026-05-20，请核对原票。",
        "The date 2026-05-21 is after the claim of 2026-05-20; compare with the original.",
        {"date": "2026-05-21", "submitted": "2026-05-20"},
    ),
    "fmt-line-outside-visit": (
        0,
        (
            "第 1 行“奥美拉唑肠溶胶囊”的日期 2026-05-05 不在就诊期间 2026-05-06 "
            "至 2026-05-13，请核对。"
        ),
        (
            "Line 1 is dated 2026-05-05, outside the visit from 2026-05-06 to 2026-05-13; "
            "please check."
        ),
        {"day": "2026-05-05", "first": "2026-05-06", "last": "2026-05-13"},
    ),
    "id-name": (
        None,
        "票据上的姓名与参保登记的姓名不一样，请核对身份。",
        "The name on the bill is not the registered one; check the identity.",
        {},
    ),
    "id-gender": (
        None,
        "票据上的性别是女，参保登记是男，请核对身份。",
        "The bill says female, the register male; check the identity.",
        {"printed": "female", "registered": "male"},
    ),
    "id-age": (
        None,
        "票据上的年龄是 48 岁，按参保登记是 46 岁，请核对身份。",
        "The bill says 48 years, the register gives 46; check the identity.",
        {"printed": 48, "age": 46},
    ),
    "sum-lines": (
        None,
        "清单合计 10.00 元与票据金额 10.01 元不一致，请医院更正后再报。",
        "The lines add up to 10.00 yuan, the bill says 10.01; the hospital has to correct it.",
        {"sum_fen": 1000, "total_fen": 1001},
    ),
    "sum-items": (
        None,
        "收费项目合计 10.00 元与票据金额 10.10 元不一致，请医院更正后再报。",
        (
            "The categories add up to 10.00 yuan, the bill says 10.10; the hospital "
            "has to correct it."
        ),
        {"sum_fen": 1000, "total_fen": 1010},
    ),
    "sum-payers-beyond": (
        None,
        "其他各方已支付 10.01 元，超过票据总额 10.00 元，不能再报。",
        "Others paid 10.01 yuan, more than the bill of 10.00; nothing is left to claim.",
        {"sum_fen": 1001, "total_fen": 1000},
    ),
    "sum-payers": (
        None,
        "票据上各方支付合计 9.99 元，与总额 10.00 元不平，请核对。",
        "The payments add up to 9.99 yuan, the bill says 10.00; please check.",
        {"sum_fen": 999, "total_fen": 1000},
    ),
    "sum-person-parts": (
        None,
        "票据上自付加自费 10.01 元，超过总额 10.00 元，请核对。",
        "The printed own parts are 10.01 yuan, more than the bill of 10.00; please check.",
        {"sum_fen": 1001, "total_fen": 1000},
    ),
    "sum-price-quantity": (
        0,
        "第 1 行“奥美拉唑肠溶胶囊”单价乘数量约 10.00 元，金额却是 10.01 元，请核对。",
        "Line 1: price times quantity is about 10.00 yuan, the amount 10.01; please check.",
        {"product_e4": 100000, "amount_e4": 100101},
    ),
    "dup-key": (
        None,
        "另有 1 家机构上传了同一票据代码和号码，请核对哪一张为真。",
        "1 other institution sent the same code and number; find out which is genuine.",
        {"bills": ["inv-2"], "hospitals": ["H33080300002"]},
    ),
    "dup-content": (
        None,
        (
            "本人 2026-05-13 另有 1 张票据金额同为 10.00 元、明细相同，只是号码不同，"
            "请核对是否重复开票。"
        ),
        (
            "The person has 1 more of 10.00 yuan on 2026-05-13 with the same lines "
            "under another number; check for a second bill of one visit."
        ),
        {"bills": ["inv-2"], "hospitals": ["H33080300002"]},
    ),
    "dup-amount-elsewhere": (
        None,
        "本人在 2026-05-13 前后另有 1 张其他医院的票据，金额同为 60.00 元，请核对。",
        "Around 2026-05-13 the person has 1 more of 60.00 yuan at another hospital; please check.",
        {"bills": ["inv-2"], "hospitals": ["H33080300002"]},
    ),
    "dup-other-person": (
        None,
        "2026-05-13 另有他人的 1 张票据金额同为 50.00 元、明细相同，请核对是否冒用。",
        (
            "On 2026-05-13 other people have 1 more of 50.00 yuan with the same "
            "lines; check for borrowed identity."
        ),
        {"bills": ["inv-2"], "hospitals": ["H33080200001"]},
    ),
    "chg-repeated": (
        1,
        "第 2 行“血常规”在 2026-05-13 已收过一次，请核对是否重复收费。",
        "Line 2: this item was charged before on 2026-05-13; check for repeated charging.",
        {"day": "2026-05-13", "times": 2},
    ),
    "chg-exclusive": (
        1,
        "第 2 行“普通门诊诊察费”与同日的另一项不能同时收取（一般诊疗费与诊察费），请核对。",
        (
            "Line 2 does not go with another item of the same day (general treatment "
            "fee and consultation fee); please check."
        ),
        {"pair": "general treatment fee and consultation fee"},
    ),
    "chg-bed-days": (
        None,
        "床位费共 9 日，住院只有 8 天，请核对多收部分。",
        "Beds are charged for 9 days, the stay has 8; check the excess.",
        {"units_e4": 90000, "days": 8, "lines": [0]},
    ),
    "chg-nursing-days": (
        None,
        "分级护理共 9 日，住院只有 8 天，请核对多收部分。",
        "Nursing is charged for 9 days, the stay has 8; check the excess.",
        {"units_e4": 90000, "days": 8, "lines": [0, 1]},
    ),
    "chg-ward-round-days": (
        None,
        "住院诊察费共 9 日，住院只有 8 天，请核对多收部分。",
        "Ward rounds are charged for 9 days, the stay has 8; check the excess.",
        {"units_e4": 90000, "days": 8, "lines": [0]},
    ),
    "chg-several-bills": (
        None,
        "2026-05-13 本人在同一医院有 3 张同类票据，请核对是否分解收费。",
        (
            "On 2026-05-13 the person has 3 bills of one kind from one hospital; "
            "check for split charging."
        ),
        {"bills": ["a", "b"]},
    ),
    "chg-one-stay": (
        None,
        "同一住院号或门诊号下共有 2 张票据，请核对是否分解收费。",
        "2 bills carry the number of one stay or visit; check for split charging.",
        {"bills": ["inv-2"]},
    ),
    "qty-day": (
        0,
        "第 1 行“氧气吸入”：按小时计费项目（小时） 当日共 25，上限 24，请核对。",
        "Line 1: an item by the hour (hours), 25 in one day, at most 24; please check.",
        {"units_e4": 250000, "allowed": 24, "limit": "an item by the hour (hours)"},
    ),
    "qty-visit": (
        0,
        "第 1 行“药物洗脱冠脉支架”：冠脉支架（枚） 本次共 5，上限 4，请核对。",
        "Line 1: coronary stents, 5 on this bill, at most 4; please check.",
        {"units_e4": 50000, "allowed": 4, "limit": "coronary stents"},
    ),
    "qty-days-of-supply": (
        0,
        (
            "第 1 行“氨氯地平片”：慢病口服药（盒，每盒按 7 天） 约够用 91 天，"
            "一次最多 84 天，请核对处方。"
        ),
        (
            "Line 1: chronic oral drugs (a box, 7 days) lasts about 91 days, at "
            "most 84 at once; check the prescription."
        ),
        {"days_e4": 910000, "allowed": 84, "limit": "chronic oral drugs (a box, 7 days)"},
    ),
    "qty-hospitals": (
        0,
        (
            "第 1 行“氨氯地平片”：慢病口服药（盒） 近 30 天在各家医院共 13，上限 "
            "12，超出部分请核对。"
        ),
        (
            "Line 1: chronic oral drugs (boxes), 13 over all hospitals in 30 days, "
            "at most 12; check the excess."
        ),
        {
            "units_e4": 130000,
            "earlier_e4": 60000,
            "bills": ["inv-2"],
            "limit": "chronic oral drugs (boxes)",
        },
    ),
    "qty-many-drugs": (
        None,
        "一张门诊票据有 16 种药，超过 15 种，请核对处方。",
        "16 kinds of drug on one outpatient bill, more than 15; check the prescriptions.",
        {"kinds": 16, "allowed": 15},
    ),
    "stay-split": (
        None,
        "与同一诊断的另一次住院只隔 3 天（不超过 3 天），请核对是否分解住院。",
        "3 days from another stay with the same diagnosis (limit 3); check for a split admission.",
        {"gap_days": 3, "bills": ["inv-2"]},
    ),
    "stay-readmission": (
        None,
        "与同一医院另一次住院相隔 10 天（不超过 10 天），请核对再入院原因。",
        (
            "10 days from another stay at the same hospital (limit 10); check the "
            "reason of the readmission."
        ),
        {"gap_days": 10, "bills": ["inv-2"]},
    ),
    "stay-overlap": (
        None,
        "2026-05-06 至 2026-05-13 住院期间另有 1 张票据，请核对是否挂床或冒用。",
        (
            "During the stay from 2026-05-06 to 2026-05-13 there are 1 other bills; "
            "check for a hanging bed or borrowed identity."
        ),
        {"bills": ["inv-2"]},
    ),
    "stay-long": (
        None,
        "住院 61 天，超过 60 天，请核对必要性。",
        "The stay has 61 days, more than 60; check whether it was needed.",
        {"days": 61, "limit": 60},
    ),
    "stay-idle": (
        None,
        "住院 7 天，只有 1 天有检查、治疗或用药，请核对是否挂床。",
        "Of 7 days only 1 have tests, treatment or drugs; check for a hanging bed.",
        {"active": 1, "days": 7},
    ),
    "stay-tests-only": (
        None,
        "住院 3 天，检查化验占费用 90%，请核对是否可在门诊完成。",
        (
            "3 days in hospital, tests are 90 % of the cost; check whether outpatient "
            "care would have done."
        ),
        {"tests_fen": 9000, "total_fen": 10000},
    ),
    "stay-printed-days": (
        None,
        "票据写住院 9 天，按日期是 7 天，请核对。",
        "The bill prints 9 days, the dates give 7; please check.",
        {"printed": 9, "days": 7},
    ),
    "sex-pregnancy-item": (
        0,
        "第 1 行“产前检查”是孕产项目，参保登记性别为男，请核对身份和项目。",
        "Line 1 is an item of pregnancy, the register says male; check identity and item.",
        {"gender": "male"},
    ),
    "sex-female-item": (
        0,
        "第 1 行“宫颈涂片”是妇科项目，参保登记性别为男，请核对身份和项目。",
        "Line 1 is a gynaecological item, the register says male; check identity and item.",
        {"gender": "male"},
    ),
    "sex-male-item": (
        0,
        "第 1 行“前列腺超声”是男性专用项目，参保登记性别为女，请核对身份和项目。",
        "Line 1 is an item of men, the register says female; check identity and item.",
        {"gender": "female"},
    ),
    "sex-female-diagnosis": (
        None,
        "诊断 O80.900 属妇产科疾病，参保登记性别为男，请核对身份和诊断。",
        "Diagnosis O80.900 is one of women, the register says male; check identity and diagnosis.",
        {"gender": "male", "diagnosis": "O80.900"},
    ),
    "sex-male-diagnosis": (
        None,
        "诊断 N40.X00 属男性疾病，参保登记性别为女，请核对身份和诊断。",
        "Diagnosis N40.X00 is one of men, the register says female; check identity and diagnosis.",
        {"gender": "female", "diagnosis": "N40.X00"},
    ),
    "age-pregnancy-item": (
        0,
        "第 1 行“产前检查”是孕产项目，参保人 56 岁，请核对身份和项目。",
        "Line 1 is an item of pregnancy, the person is 56 years old; check identity and item.",
        {"age": 56},
    ),
    "age-paediatric-item": (
        0,
        "第 1 行“小儿氨酚黄那敏颗粒”是儿童专用项目，参保人 18 岁，请核对身份和项目。",
        "Line 1 is for children, the person is 18 years old; check identity and item.",
        {"age": 18},
    ),
    "age-newborn-item": (
        0,
        "第 1 行“新生儿护理”限新生儿，就诊时出生已 29 天，请核对。",
        "Line 1 is for newborns, the person was 29 days old; please check.",
        {"days": 29},
    ),
    "age-quinolone": (
        0,
        "第 1 行“莫西沙星片”18 岁以下限制使用，参保人 17 岁，请核对处方。",
        "Line 1 is restricted under 18, the person is 17 years old; check the prescription.",
        {"age": 17},
    ),
    "rst-unapproved": (
        0,
        "第 1 行“限制药”是限制使用项目，医院没有填写审批标志，请核对使用条件。",
        (
            "Line 1 is a restricted item and the hospital gave no approval flag; "
            "check the conditions."
        ),
        {"code": "R1"},
    ),
    "rst-needless-approval": (
        0,
        "第 1 行“普通药”不是限制使用项目却带审批标志，请核对编码对应。",
        "Line 1 is not restricted and yet approved; check the mapping of its code.",
        {"code": "U1"},
    ),
    "rst-diagnosis": (
        0,
        (
            "第 1 行“人血白蛋白”：人血白蛋白限抢救、重症或肝硬化、癌症腹水，主要诊断是 "
            "I10.X00，请核对使用条件。"
        ),
        (
            "Line 1: albumin: emergencies, cirrhosis or cancer with ascites; the "
            "main diagnosis is I10.X00. Check the conditions."
        ),
        {"diagnosis": "I10.X00"},
    ),
    "rst-prescription": (
        None,
        "有 1 行双通道或特药，没有随票上传处方，请要求补充。",
        "1 lines are special drugs and no prescription came with the bill; ask for it.",
        {"lines": [0]},
    ),
    "acc-diagnosis": (
        None,
        "主要诊断 S06.000X001 是损伤或外因，没有意外伤害声明，请要求承诺书并核对第三方责任。",
        (
            "The main diagnosis S06.000X001 is an injury and nothing was declared; "
            "ask for the undertaking and check liability."
        ),
        {"diagnosis": "S06.000X001"},
    ),
    "acc-visit": (
        None,
        "医疗类别 81 是外伤或意外伤害，没有意外伤害声明，请要求承诺书。",
        "Medical category 81 is an injury and nothing was declared; ask for the undertaking.",
        {"medical_type": "81"},
    ),
    "acc-words": (
        None,
        "诊断、备注或科室里有“车祸”，没有意外伤害声明，请核对第三方责任。",
        "Diagnosis, remark or department says “车祸” and nothing was declared; check liability.",
        {"words": ["车祸"]},
    ),
    "acc-items": (
        None,
        "有“破伤风抗毒素”这样的外伤常用项目，没有意外伤害声明，请核对就诊原因。",
        (
            "“破伤风抗毒素” is usual after an injury and nothing was declared; "
            "check the cause of the visit."
        ),
        {"lines": [0]},
    ),
    "acc-undertaking": (
        None,
        "意外伤害申请没有签署承诺书，请要求补签。",
        "The accident claim has no signed undertaking; ask for it.",
        {"declared": 1},
    ),
    "acc-liable": (
        None,
        "声明中有第三方、交通事故或工伤责任，应先由责任方支付，请核对。",
        "The declaration names a third party, traffic or work; they pay first. Please check.",
        {"liability": "work"},
    ),
    "acc-date": (
        None,
        "声明的受伤日期 2026-05-12 晚于就诊日期 2026-05-06，请核对。",
        "The declared accident of 2026-05-12 is after the visit of 2026-05-06; please check.",
        {"happened": "2026-05-12", "visit": "2026-05-06"},
    ),
    "rem-unfiled": (
        None,
        "在 310101 就医，参保地 330800，没有备案，将按未备案比例计算，请核对能否补备案。",
        (
            "Care in 310101, insured in 330800, without filing: the unfiled ratio "
            "applies. See whether it can be filed late."
        ),
        {"area": "310101", "region": "330800", "status": "own-choice"},
    ),
    "rem-emergency": (
        None,
        "按异地急诊计算，医疗类别却是 21，请核对急诊病历。",
        "Counted as an emergency elsewhere, but the medical category is 21; check the record.",
        {"medical_type": "21"},
    ),
    "late-filing": (
        None,
        "距就诊 366 天才申报，超过 365 天，没有可接受的理由，请核对期限。",
        (
            "Handed in 366 days after the care, more than 365, without an accepted "
            "excuse; check the limit."
        ),
        {"days": 366, "limit": 365, "excuse": ""},
    ),
    "late-excused": (
        None,
        "距就诊 366 天才申报（期限 365 天），理由是 illness，请核对证明。",
        "Handed in 366 days after the care (limit 365) with the excuse illness; check the proof.",
        {"days": 366, "limit": 365, "excuse": "illness"},
    ),
    "out-above": (
        None,
        "金额 251.00 元，是同等级、同类就诊、同诊断 30 张票据中位数 100.00 元的 2.51 倍，请核对。",
        (
            "251.00 yuan, 2.51 times the median 100.00 of 30 bills of the same "
            "level, visit and diagnosis; please check."
        ),
        {
            "total_fen": 25100,
            "group": {
                "hospital_level": 3,
                "visit_kind": "outpatient",
                "diagnosis": "I10",
                "size": 30,
                "median_fen": 10000,
                "examples": [{"reference": "inv-9", "service_on": "2026-04-02", "total_fen": 9500}],
            },
        },
    ),
    "out-below": (
        None,
        (
            "金额 39.00 元，是同等级、同类就诊、同诊断 30 张票据中位数 100.00 元的 "
            "0.39 倍，请核对是否拆分。"
        ),
        (
            "39.00 yuan, 0.39 times the median 100.00 of 30 bills of the same level, "
            "visit and diagnosis; check for splitting."
        ),
        {
            "total_fen": 3900,
            "group": {
                "hospital_level": 3,
                "visit_kind": "outpatient",
                "diagnosis": "I10",
                "size": 30,
                "median_fen": 10000,
                "examples": [{"reference": "inv-9", "service_on": "2026-04-02", "total_fen": 9500}],
            },
        },
    ),
    "out-high-outpatient": (
        None,
        "门诊票据 30,000.00 元，达到 30,000.00 元，请核对。",
        "Outpatient bill of 30,000.00 yuan, 30,000.00 or more; please check.",
        {"total_fen": 3000000, "limit_fen": 3000000},
    ),
    "out-high-inpatient": (
        None,
        "住院票据 100,000.00 元，达到 100,000.00 元，请核对。",
        "Inpatient bill of 100,000.00 yuan, 100,000.00 or more; please check.",
        {"total_fen": 10000000, "limit_fen": 10000000},
    ),
    "out-high-line": (
        0,
        "第 1 行“奥美拉唑肠溶胶囊”金额 30,000.00 元，达到 30,000.00 元，请核对。",
        "Line 1 is 30,000.00 yuan, 30,000.00 or more; please check.",
        {"amount_fen": 3000000, "limit_fen": 3000000},
    ),
    "out-material-share": (
        None,
        "耗材 3,500.00 元，占费用 70%，请核对。",
        "Material of 3,500.00 yuan is 70 % of the bill; please check.",
        {"part_fen": 350000, "total_fen": 500000},
    ),
    "fund-check-up-item": (
        0,
        "第 1 行“健康体检套餐”是体检，基本医保不支付，请核对。",
        "Line 1 is a check-up, which the fund does not pay; please check.",
        {"code": "T-健康体检套餐"},
    ),
    "fund-cosmetic-item": (
        0,
        "第 1 行“重睑成形术”疑为美容，基本医保不支付，请核对。",
        "Line 1 looks cosmetic, which the fund does not pay; please check.",
        {"code": "T-重睑成形术"},
    ),
    "fund-maternity-item": (
        0,
        "第 1 行“剖宫产术”属于生育，应由生育保险支付，请核对。",
        "Line 1 is maternity care, which the maternity fund pays; please check.",
        {"code": "T-剖宫产术"},
    ),
    "fund-visit": (
        None,
        "医疗类别 51 属于生育或体检，请核对支付渠道。",
        "Medical category 51 is maternity or a check-up; check which fund pays.",
        {"medical_type": "51"},
    ),
    "fund-rest-day-check-up": (
        None,
        "2026-05-13 是休息日，票据 8 行几乎全是检查化验，请核对是否体检。",
        (
            "2026-05-13 was a day off and the bill's 8 lines are nearly all tests; "
            "check for a check-up."
        ),
        {"day": "2026-05-13", "tests": 8},
    ),
    "op-anaesthesia": (
        0,
        "第 1 行“阑尾切除术”是手术，票据上没有麻醉，请核对手术记录。",
        "Line 1 is an operation and the bill has no anaesthesia; check the operation record.",
        {"code": "T-阑尾切除术"},
    ),
    "op-tests": (
        0,
        "第 1 行“阑尾切除术”是手术，票据上没有任何检查化验，请核对手术记录。",
        "Line 1 is an operation and the bill has no test at all; check the operation record.",
        {"code": "T-阑尾切除术"},
    ),
    "op-anaesthesia-alone": (
        0,
        "第 1 行“全身麻醉”是麻醉，票据上没有手术或内镜，请核对。",
        "Line 1 is anaesthesia and the bill has no operation or endoscopy; please check.",
        {"code": "T-全身麻醉"},
    ),
    "op-implant-alone": (
        0,
        "第 1 行“人工晶体(单焦点)”是植入物，票据上没有手术，请核对是否串换。",
        "Line 1 is an implant and the bill has no operation; check for a swapped item.",
        {"code": "T-人工晶体(单焦点)"},
    ),
    "cod-severe-short": (
        None,
        "主要诊断 J96.000 属重症，住院只有 3 天且费用很低，请核对是否高编。",
        (
            "The main diagnosis J96.000 is grave, the stay of 3 days short and "
            "cheap; check for up-coding."
        ),
        {"diagnosis": "J96.000", "days": 3, "total_fen": 300000},
    ),
    "cod-icu-nursing": (
        0,
        "第 1 行“重症监护护理”是重症监护护理，票据上没有重症监护床位，请核对。",
        "Line 1 is intensive nursing and the bill has no intensive bed; please check.",
        {"code": "T-重症监护护理"},
    ),
    "ins-unknown": (
        None,
        "开票机构 H33080200001 不在机构名册，不能报销；如有疑问请到窗口核对票据。",
        (
            "The issuer H33080200001 is not in the register; the bill cannot be "
            "paid. Ask at a window if in doubt."
        ),
        {"institution": "H33080200001"},
    ),
    "ins-agreement": (
        None,
        "票据开具日期 2026-05-13 不在定点协议期 2026-01-01 至 2026-05-12 内，不能报销；可申诉。",
        (
            "Issued on 2026-05-13, outside the agreement from 2026-01-01 to 2026-05-12: "
            "not payable. You may appeal."
        ),
        {"issued": "2026-05-13", "from": "2026-01-01", "to": "2026-05-12"},
    ),
    "ins-level": (
        0,
        "第 1 行“血液透析”一般在二级以上医院开展，本院等级 1，请核对资质。",
        "Line 1 is usually done from level 2 upward, this hospital is level 1; check its licence.",
        {"level": 1},
    ),
    "ins-one-person": (
        None,
        "收费员和复核员是同一人，缺少双人确认，请核对票据。",
        "Cashier and checker are one person; two should confirm. Check the bill.",
        {},
    ),
    "ins-doctor-cashier": (
        0,
        "第 1 行“奥美拉唑肠溶胶囊”的开单医生同时是收费员或复核员，请核对。",
        "Line 1: the ordering doctor is also cashier or checker; please check.",
        {"doctor": "D1"},
    ),
    "ins-settled-online": (
        None,
        "这张票据已由基本医保联网结算，不能再报；补充报销请选择对应原因。",
        "Basic insurance has settled this bill; choose a supplementary reason to claim the rest.",
        {"fund_pay_fen": 600, "has_settlement": 0},
    ),
}
