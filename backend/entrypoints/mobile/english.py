"""English for words that the layers below have in Chinese alone, by the Chinese words."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from backend.domain.accident import EXCUSE_TEXT_MAX, OTHER_MAX, STORY_MAX, STORY_MIN

_STEPS: Final = {
    "医院上传并盖戳": "The hospital uploaded the bill: stamped",
    "就医地审核，经办机构盖戳（未经医院上链）": "Checked at the place of care, stamped by the "
    "agency (not anchored by its hospital)",
    "正在盖戳": "being stamped",
    "您提交申请": "You sent the claim",
    "核对后停止办理": "Stopped after the check",
    "您撤回了申请": "You withdrew the claim",
    "复核支持您，重新办理": "The review was for you: taken up again",
    "核对指纹，锁定票据": "Fingerprint checked, bill locked",
    "放开票据": "Bill unlocked",
    "不予报销，放开票据": "Not reimbursed, bill unlocked",
    "正在登记结果": "the result is being recorded",
    "正在登记": "being recorded",
    "正在核对": "being checked",
    "改定差额并盖戳": "Difference decided and stamped",
    "核定金额并盖戳": "Amount decided and stamped",
    "依据当时有效的政策": "by the policy in force on that day",
    "还没有核定": "not decided yet",
    "核定后打款": "paid after the decision",
    "登记后打款": "paid once it is recorded",
    "银行打款": "Payment by the bank",
    "银行补付差额": "Difference paid by the bank",
    "票据已作废，没有打款": "The bill became void, nothing was paid",
    "金额为 0，不用打款": "The amount is 0, nothing to pay",
    "已发出，等银行回执": "sent, waiting for the bank's answer",
    "银行没有付成": "the bank could not pay",
    "窗口代收": "taken in at the window",
    "模拟银行回执": "answer of the simulated bank",
}
_BANK: Final = {
    "账号有误": "the account number is wrong",
    "账户已销户": "the account is closed",
    "账户已冻结": "the account is blocked",
    "户名不符": "the holder's name does not match",
    "付款账户余额不足": "the paying account is short of money",
    "银行查不到这个人": "the bank does not know this person",
    "银行没有办理": "the bank did not carry it out",
    "账户正在清算": "the account is being wound up",
    "开户银行有误": "the bank is wrong",
    "账户类别不能收款": "an account of this kind cannot receive money",
}
_DECISIONS: Final = {
    "首次核定": "first decision",
    "您申请复核后改定": "changed after your appeal",
    "经办机构重新核定": "decided again by the agency",
    "备案补登后重算": "worked out again after a late filing",
    "待遇信息变更后重算": "worked out again after a change of your entitlement",
    "全年累计变化后重算": "worked out again after a change of the year's totals",
    "年度清算后重算": "worked out again in the yearly clearing",
    "按账本恢复": "restored from the ledger",
}
_APPEALS: Final = {
    "金额算得不对": "The amount is wrong",
    "有项目应该报没有报": "An item should have been covered",
    "参保、身份或备案信息不对": "My insurance, identity or filing data are wrong",
    "我有新的材料": "I have new documents",
    "不应该不予报销": "It should not have been refused",
    "其他": "Something else",
    "计算错误": "error of calculation",
    "适用政策有误": "wrong policy applied",
    "参保、身份或票据信息更正": "data of the person or the bill were corrected",
    "补到材料": "documents came later",
    "抽查或稽核发现": "found by a sample or an inspection",
    "行政复议、诉讼或上级机构的决定": "decided by a review, a court or a higher agency",
}
_RECOVERIES: Final = {
    "票据已作废": "The bill became void",
    "票据已冲红": "The bill was reversed",
    "稽核认定": "Found by an inspection",
    "复核改定，应报金额减少": "A review found that less was due",
    "年度清算，应报金额减少": "The yearly clearing found that less was due",
}
_SHARING: Final = {
    "票面：医院、票号、日期、姓名、科室、就诊类别、诊断、金额、看病时谁付了多少": "The face of "
    "the bill: hospital, number, dates, name, department, kind of visit, diagnosis, amounts, who "
    "paid what at the counter",
    "费用明细：每一项的名称、编码、类别、规格、单价、数量、金额、时间": "The lines: name, code, "
    "category, specification, price, quantity, amount and time of each item",
    "医保的核定结果：报了多少、各层多少、按哪版政策": "What medical insurance decided: how much it "
    "paid, from which layer, by which version of the policy",
    "正在账本上登记": "It is locking the bill on the ledger",
    "已登记，正在理赔": "It has locked the bill and is working on it",
    "登记已到期，正在放开": "Its lock has ended, the bill is being unlocked",
    "正在赔付": "It is paying",
    "正在放开": "It is unlocking the bill",
    "需要工作人员处理": "A person has to look at it",
    "账本没有接受它的登记": "The ledger did not accept its lock",
    "已经赔付": "It has paid",
    "没有赔，已放开": "It paid nothing and unlocked the bill",
    "登记到期，已放开": "Its lock ended, the bill is unlocked",
    "登记已结束": "Its lock has ended",
}
_ACCIDENTS: Final = {
    "家里": "At home",
    "路上": "On the road",
    "单位、工地": "At work, on a building site",
    "学校、商场等": "At school, in a shop and the like",
    "别处": "Elsewhere",
    "摔倒、跌落": "A fall",
    "碰撞、砸伤": "Hit or crushed",
    "割伤、刺伤": "Cut or stabbed",
    "烫伤、烧伤": "Burnt or scalded",
    "猫狗等咬伤、抓伤": "Bitten or scratched by an animal",
    "误食、中毒": "Swallowed something, poisoned",
    "别的": "Something else",
    "一直在住院或病重": "In hospital or very ill all the time",
    "医院开票或上传晚了": "The hospital issued or uploaded it late",
    "参保手续办得晚": "The insurance was registered late",
    "在国外、遇到灾害等": "Abroad, a disaster and the like",
    "别的正当理由": "Another good reason",
    "请选在哪里受伤": "Choose where it happened",
    "请选怎么受伤": "Choose how it happened",
    f"请写经过，{STORY_MIN} 到 {STORY_MAX} 个字": "Say what happened, in "
    f"{STORY_MIN} to {STORY_MAX} characters",
    "请选有没有别人的责任": "Choose whether somebody else caused it",
    "请选是不是在上班": "Choose whether it happened at work",
    "请选是不是交通事故": "Choose whether it was a traffic accident",
    f"对方是谁，最多 {OTHER_MAX} 个字": f"Who the other one was, in at most {OTHER_MAX} characters",
    "请看完承诺书，勾选“我承诺”": "Read the undertaking and tick it",
    "请从列表里选晚了的理由": "Choose from the list why it is late",
    f"理由的说明最多 {EXCUSE_TEXT_MAX} 个字": "The explanation has at most "
    f"{EXCUSE_TEXT_MAX} characters",
    "请写一句是什么理由": "Write a line about the reason",
    "请选受伤的日期": "Choose the day on which you were hurt",
    "受伤的日期不能在今天以后": "The day cannot be after today",
    "受伤的日期太早，请再看一下年份": "The day is too long ago: check the year",
}
_OUTSIDE: Final = {
    "交件": "Handed in",
    "工作人员录入": "Typed by a clerk",
    "另一人核对": "Compared by another one",
    "就医地审核": "Checked at the place of care",
    "核实票据真伪和明细": "whether bill and lines are genuine",
    "经办机构上链并提交申请": "Written to the ledger by the agency, claim sent",
    "未经医院上链": "not anchored by its hospital",
    "参保地确认": "Confirmed at the place of insurance",
    "另一位工作人员确认": "by another clerk",
    "没有通过": "not accepted",
}

ENGLISH: Final = MappingProxyType(
    _STEPS | _BANK | _DECISIONS | _APPEALS | _RECOVERIES | _SHARING | _ACCIDENTS | _OUTSIDE
)
"""Chinese words and what an English page says in their place."""
