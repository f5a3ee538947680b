"""The one table of fields: our name, the JSON name, the place in fiscal XML, form and limit.

Sources: DA/T 95-2022 table B.10 (JSON names of the bill), MainExt of the fiscal interface
standard (medical names, same in both formats), the settlement-voucher record (upper-case names of
lines), the national fee upload 2204 and 2301 (dise_codg, med_type, bilg_dr_codg).
docs/field-mapping.md prints it; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

MAIN: Final = ("EInvoiceData", "Main")


class Form(Enum):
    """How the text of a field is read."""

    TEXT = "text"
    FEN = "amount"
    LINE_AMOUNT = "line amount"
    QUANTITY = "quantity"
    PRICE = "price"
    DECIMAL = "decimal"
    DATE = "date"
    TIME = "time"
    INSTANT = "instant"
    CHOICE = "choice"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Field:
    """``xml`` is the element path below the field's parent (Main, Item, AuxItem)."""

    name: str
    json: str
    xml: tuple[str, ...]
    form: Form = Form.TEXT
    limit: int = 100
    required: bool = False
    choices: frozenset[str] = frozenset()


def _main(name: str, json: str, *xml: str, **options: object) -> Field:
    return Field(name, json, xml or (json,), **options)  # type: ignore[arg-type]


def _ext(name: str, json: str, form: Form = Form.TEXT, limit: int = 100) -> Field:
    return Field(name, json, ("MainExt", json), form, limit)


HEADER: Final[tuple[Field, ...]] = (
    _main("invoice_name", "EinvoiceName", "EInvoiceName", limit=200),
    _main("invoice_code", "EinvoiceCode", "EInvoiceCode", limit=12),
    _main("invoice_number", "EinvoiceNumber", "EInvoiceNumber", limit=20, required=True),
    _main("check_code", "RandomNumber", limit=20),
    _main("area_code", "SupervisorAreaCode", limit=12),
    _main("total_fen", "TotalAmount", form=Form.FEN, limit=20, required=True),
    _main("issued_on", "IssueDate", form=Form.DATE, limit=10, required=True),
    _main("issued_time", "IssueTime", form=Form.TIME, limit=8),
    _main("institution_code", "AgencyCode", "InvoicingParty", "InvoicingPartyCode",
          limit=16, required=True),
    _main("institution_name", "AgencyName", "InvoicingParty", "InvoicingPartyName",
          limit=200, required=True),
    _main("payer_type", "PayerPartyType", "PayerParty", "PayerPartyType",
          form=Form.CHOICE, limit=1, choices=frozenset("12")),
    _main("payer_id", "PayerCode", "PayerParty", "PayerPartyCode", limit=40),
    _main("payer_name", "PayerName", "PayerParty", "PayerPartyName", limit=100, required=True),
    _main("business_number", "BizCode", limit=50),
    _main("remark", "Remark", limit=500),
    _main("cashier", "HandlingPerson", limit=100),
    _main("checker", "Checker", limit=100),
    _main("supervisor_remark", "SupervisorRemark", limit=500),
    _main("related_invoice_code", "RelatedInvoiceCode", "MainExt", "relatedInvoiceCode", limit=12),
    _main("related_invoice_number", "RelatedInvoiceNumber", "MainExt", "relatedInvoiceNumber",
          limit=20),
    _ext("second_number_code", "secondInvoiceCode", limit=12),
    _ext("second_number", "secondInvoiceNumber", limit=20),
    _ext("visit_on", "medicalDate", Form.DATE, 10),
    _ext("institution_type", "orgType"),
    _ext("insurance_type", "medicalInsuranceType"),
    _ext("insurance_id", "medicalInsuranceID", limit=40),
    _ext("gender", "gender", limit=10),
    _ext("age", "age", limit=20),
    _ext("patient_number", "patientNumber", limit=60),
    _ext("hospitalization_number", "hospitalizationNumber", limit=60),
    _ext("case_number", "caseNumber", limit=60),
    _ext("department", "departmentName"),
    _ext("admitted_on", "inHospitalDate", Form.DATE, 10),
    _ext("discharged_on", "outHospitalDate", Form.DATE, 10),
    _ext("hospital_days", "hospitalDay", limit=10),
    _ext("settlement_number", "setl_id", limit=60),
    _ext("diagnosis_code", "dise_codg", limit=30),
    _ext("diagnosis_name", "dise_name", limit=200),
    _ext("medical_type", "med_type", limit=6),
    _ext("fund_pay_fen", "fundPayAmount", Form.FEN, 20),
    _ext("other_pay_fen", "otherPayAmount", Form.FEN, 20),
    _ext("account_pay_fen", "accountPayAmount", Form.FEN, 20),
    _ext("own_pay_fen", "ownPayAmount", Form.FEN, 20),
    _ext("self_payment_fen", "selfpaymentAmount", Form.FEN, 20),
    _ext("self_expense_fen", "selfpaymentCost", Form.FEN, 20),
    _ext("prepaid_fen", "prepayAmount", Form.FEN, 20),
    _ext("recharge_fen", "rechargeAmount", Form.FEN, 20),
    _ext("refund_fen", "refundAmount", Form.FEN, 20),
)  # fmt: skip

ITEM: Final[tuple[Field, ...]] = (
    _main("code", "ItemCode", limit=50, required=True),
    _main("name", "ItemName", limit=100, required=True),
    _main("quantity", "ItemQuantity", form=Form.DECIMAL, limit=20),
    _main("unit", "ItemUnit", limit=20),
    _main("price", "ItemStd", form=Form.DECIMAL, limit=20),
    _main("amount_fen", "ItemAmount", form=Form.FEN, limit=20, required=True),
    _main("remark", "ItemRemark", limit=200),
)

#: 医疗收费项目类别 med_chrgitm_type (domain reference 2.4).
CATEGORY_CODES: Final = frozenset(f"{n:02d}" for n in range(1, 15))
LEVELS: Final = frozenset(("01", "02", "03"))

LINE: Final[tuple[Field, ...]] = (
    _main("category_code", "MED_CHRGITM_TYPE", "AuxItemRelatedCode",
          form=Form.CHOICE, limit=2, choices=CATEGORY_CODES),
    _main("category_name", "AuxItemRelatedName", limit=100),
    _main("catalogue_code", "MEDLIST_CODG", "AuxItemCode", limit=50),
    _main("name", "AuxItemName", limit=200, required=True),
    _main("quantity_e4", "CNT", "AuxItemQuantity", form=Form.QUANTITY, limit=20, required=True),
    _main("unit", "AuxItemUnit", limit=20),
    _main("price_e6", "PRIC", "AuxItemStd", form=Form.PRICE, limit=20, required=True),
    _main("amount_e4", "DETITEM_FEE_SUMAMT", "AuxItemAmount", form=Form.LINE_AMOUNT, limit=20,
          required=True),
    _main("remark", "AuxItemRemark", limit=200),
    _main("spec", "SPEC", "AuxItemExt", "SPEC", limit=200),
    _main("occurred_at", "FEE_OCUR_TIME", "AuxItemExt", "FEE_OCUR_TIME",
          form=Form.INSTANT, limit=19),
    _main("level", "CHRGITM_LV", "AuxItemExt", "CHRGITM_LV",
          form=Form.CHOICE, limit=2, choices=LEVELS),
    _main("approval_flag", "HOSP_APPR_FLAG", "AuxItemExt", "HOSP_APPR_FLAG",
          form=Form.CHOICE, limit=1, choices=frozenset("012")),
    _main("doctor_code", "BILG_DR_CODG", "AuxItemExt", "BILG_DR_CODG", limit=30),
)  # fmt: skip

ATTACHMENT: Final[tuple[Field, ...]] = (
    _main("type", "type", form=Form.CHOICE, limit=20, required=True,
          choices=frozenset(("diagnosis", "discharge-note", "prescription", "undertaking"))),
    _main("digest", "digest", form=Form.DIGEST, limit=64, required=True),
)  # fmt: skip

JSON_LISTS: Final = {
    "items": ("Items", ITEM),
    "lines": ("AuxItems", LINE),
    "attachments": ("Attachments", ATTACHMENT),
}

#: Elements of the fiscal standard that carry nothing of the record: read over, never refused.
#: The whole document is kept as it came.
XML_NOT_RECORDED: Final = frozenset(
    (
        "EInvoiceSpecimenCode", "RecName", "RecAcct", "RecOpBk", "PayerAcct", "PayerOpBk",
        "PayMode", "CurrencyType", "ExchangeRate", "ItemExt", "ItemDetailName",
        # what some provinces add to MainExt (domain reference 1.4)
        "spStand", "classbSelfpayment", "ptnSelfpayment", "medicalHelp",
        "overLimitPriceOwnExpense", "classBAdvanceSelfPayment", "criticalIllnessFund",
        "individualAccountCurrPayment", "individualAccountPrevPayment",
        "individualAccountCurrBalance", "individualAccountPrevBalance",
    )
)  # fmt: skip

#: A class written out in a line's remark, as fiscal bills do.
REMARK_LEVELS: Final = {"甲类": "01", "乙类": "02", "丙类": "03"}
LEVEL_REMARKS: Final = {level: remark for remark, level in REMARK_LEVELS.items()}
