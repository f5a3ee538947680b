"""Why a claim waits, in words: what happened, what was kept, what to do next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

Words = tuple[str, str]
"""The same in Chinese and in English."""

NONE: Final[Words] = ("", "")
BOOKED: Final[Words] = (
    "核定的金额已经记账，记在您名下，不会丢，也不会付两次。",
    "The amount is booked in your name: it is not lost, and it is not paid twice.",
)
CLAIM_KEPT: Final[Words] = (
    "申请和受理号已经保存，不会丢。",
    "Your claim and its number are stored and are not lost.",
)
NOTHING: Final[Words] = ("您不用做什么。", "There is nothing for you to do.")
ASK: Final[Words] = (
    "您不用再交材料。想问进展，请打电话 12393。",
    "You need not send anything. To ask how it goes, call 12393.",
)


@dataclass(frozen=True, slots=True)
class Status:
    """A state in words: what it means and what to do; ``tone`` is good, wait or plain.

    ``en`` are title and meaning in English. ``kept`` and ``todo`` are set where something does
    not go on as it should: the page then says what was kept and what the person can do.
    """

    title: str
    meaning: str
    tone: str = "plain"
    seal: str = ""
    en: Words = NONE
    kept: Words = NONE
    todo: Words = NONE


WAITING: Final = {
    "anchor": Status(
        "已受理，等票据盖戳",
        "这张票据正在上链，盖戳后自动继续，您不用做什么。",
        "wait",
        en=(
            "Accepted, waiting for the bill's stamp",
            "The bill is being written to the ledger. It goes on by itself: nothing for you to do.",
        ),
    ),
    "ledger": Status(
        "已受理，正在排队",
        "账本暂时连不上。申请已经保存，恢复后自动继续。",
        "wait",
        en=(
            "Accepted, waiting in line",
            "The ledger cannot be reached at the moment. It goes on by itself when it is back.",
        ),
        kept=CLAIM_KEPT,
        todo=NOTHING,
    ),
    "ledger-refused": Status(
        "已受理，正在排队",
        "账本暂停受理，恢复后自动继续。",
        "wait",
        en=(
            "Accepted, waiting in line",
            "The ledger takes nothing at the moment. It goes on by itself when it does again.",
        ),
        kept=CLAIM_KEPT,
        todo=NOTHING,
    ),
    "dispute": Status(
        "已受理，等核实票号",
        "另一家医院上传了相同号码的票据，工作人员正在核实哪一张是真的。"
        "核实后自动继续，您不用做什么。",
        "wait",
        en=(
            "Accepted, the bill's number is being checked",
            "Another hospital uploaded a bill with the same number. Staff find out which one is "
            "right; then it goes on by itself. There is nothing for you to do.",
        ),
    ),
    "citizen": Status(
        "需要您补充材料",
        "工作人员需要您补充一些材料，请点下面的按钮看要什么。",
        "wait",
        en=("We need something from you", "Staff need more from you: see below what it is."),
    ),
    "declaration": Status(
        "等您说明怎么受的伤",
        "这张票据是看伤的。请点下面的按钮填几句，交了自动继续。",
        "wait",
        en=(
            "Tell us how you were hurt",
            "The bill is for an injury. Fill in a few lines below; then it goes on by itself.",
        ),
    ),
    "operator": Status(
        "需要工作人员处理",
        "有一步没有走通，我们已收到报警，处理后继续。",
        "wait",
        en=("A person has to look", "One step did not go through. We know, and go on after it."),
        kept=CLAIM_KEPT,
        todo=ASK,
    ),
    "payout-held": Status(
        "暂缓打款",
        "账本上这张票据的状态有变化，工作人员正在核实。核实无误后自动打款。",
        "wait",
        en=(
            "Payment held",
            "The bill's state on the ledger has changed and staff look into it. When it is in "
            "order, it is paid by itself.",
        ),
        kept=BOOKED,
        todo=ASK,
    ),
    "payout-ledger": Status(
        "已核定，等账本确认",
        "现在没有账本节点能确认最新的记录。能确认后自动打款。",
        "wait",
        en=(
            "Decided, waiting for the ledger",
            "No ledger node can confirm the newest records now. When one can, it is paid by "
            "itself.",
        ),
        kept=BOOKED,
        todo=NOTHING,
    ),
    "reconcile": Status(
        "已核定，暂缓打款",
        "系统正在与账本核对，核对完自动打款。",
        "wait",
        en=(
            "Decided, payment held",
            "The system is being compared with the ledger; after that it is paid by itself.",
        ),
        kept=BOOKED,
        todo=NOTHING,
    ),
    "bill-locked": Status(
        "复核后改定，等另一方办完",
        "另一家保险正在办理这张票据，办完后自动补付差额。",
        "wait",
        en=(
            "Changed after review, waiting for another insurer",
            "Another insurer is working on this bill. The difference is paid by itself afterwards.",
        ),
        kept=BOOKED,
        todo=NOTHING,
    ),
    "other-payer": Status(
        "复核支持您，等另一方办完",
        "另一家保险正在办理这张票据，办完后自动接着办。",
        "wait",
        en=(
            "The review was for you, waiting for another insurer",
            "Another insurer is working on this bill. It goes on by itself afterwards.",
        ),
        kept=CLAIM_KEPT,
        todo=NOTHING,
    ),
    "beyond-remainder": Status(
        "复核后改定，差额暂不能付",
        "别的保险赔过以后，这张票据剩下的金额不够付差额，工作人员正在核实。",
        "wait",
        en=(
            "Changed after review, the difference cannot be paid yet",
            "After what other insurers paid, less is left of this bill than the difference. Staff "
            "look into it.",
        ),
        kept=(
            "复核的结果和以前付的钱都保留。",
            "The result of the review and what was paid before stay as they are.",
        ),
        todo=ASK,
    ),
    "payee": Status(
        "银行没有付成",
        "钱没有到您的账户。",
        "wait",
        en=("The bank could not pay", "The money did not reach your account."),
        kept=BOOKED,
        todo=(
            "请在“收款账户”里换一个能收款的账户，换好后自动再付一次。也可以打电话 12393。",
            "Name an account that can receive money under “Your account”; it is then paid again "
            "by itself, once. Or call 12393.",
        ),
    ),
    "payout-run": Status(
        "已核定，等下一批打款",
        "下一批打款时一起付到您的账户，您不用做什么。",
        "good",
        en=(
            "Decided, paid with the next run",
            "It goes to your account with the next run. There is nothing for you to do.",
        ),
    ),
    "bank-retry": Status(
        "银行这次没有付成",
        "不是您账户的问题，下一批会再付一次。",
        "wait",
        en=(
            "The bank could not pay this time",
            "Your account is not the reason. It is paid again with the next run.",
        ),
        kept=BOOKED,
        todo=NOTHING,
    ),
    "payout-desk": Status(
        "银行没有付成",
        "不是您账户的问题，经办机构正在和银行核实，核实后再付。",
        "wait",
        en=(
            "The bank did not pay",
            "Your account is not the reason. The agency is asking the bank; then it is paid again.",
        ),
        kept=BOOKED,
        todo=ASK,
    ),
    "payout-stopped": Status(
        "暂缓打款",
        "工作人员暂停了这笔打款，正在核实。",
        "wait",
        en=("Payment held", "Staff have stopped this payment while they look into it."),
        kept=BOOKED,
        todo=ASK,
    ),
    "payout-case": Status(
        "暂缓打款",
        "对账发现一处不一致，工作人员{zh_within}核实，核实后自动打款。",
        "wait",
        en=(
            "Payment held",
            "The daily comparison found something that does not agree. Staff look into it "
            "{en_within}; after that it is paid by itself.",
        ),
        kept=BOOKED,
        todo=ASK,
    ),
    "fund-short": Status(
        "已核定，等基金拨款",
        "基金账户余额不够，拨款到账后自动打款。",
        "wait",
        en=(
            "Decided, waiting for the fund",
            "The fund's account is short of money. It is paid by itself when money has come in.",
        ),
        kept=BOOKED,
        todo=NOTHING,
    ),
    "debit-account-missing": Status(
        "已核定，等经办机构开通付款账户",
        "您参保地的基金在本系统还没有付款账户，开通后自动打款。",
        "wait",
        en=(
            "Decided, waiting for the agency's account",
            "The fund of the place where you are insured has no account to pay from here yet. It "
            "is paid by itself once there is one.",
        ),
        kept=BOOKED,
        todo=NOTHING,
    ),
    "account-missing": Status(
        "已核定，等您填收款账户",
        "还没有可以打款的账户。",
        "wait",
        en=("Decided, waiting for your account", "There is no account yet to pay to."),
        kept=BOOKED,
        todo=(
            "请在“收款账户”里填您的银行账户，未成年人填监护人的。银行确认户名后自动打款。",
            "Name your bank account under “Your account”, for a minor the guardian's. It is paid "
            "by itself once the bank has confirmed the holder.",
        ),
    ),
    "account-unverified": Status(
        "已核定，等核对收款账户",
        "银行没有确认这个账户是您的。",
        "wait",
        en=(
            "Decided, your account is not confirmed",
            "The bank has not confirmed that the account is yours.",
        ),
        kept=BOOKED,
        todo=(
            "请在“收款账户”里照银行卡再填一次，户名要是本人，未成年人要是监护人。"
            "银行确认后自动打款。",
            "Fill it in once more under “Your account”, as on the card. It must be in your own "
            "name, for a minor in the guardian's. It is paid by itself once the bank confirms it.",
        ),
    ),
    "account-unproven": Status(
        "已核定，等核对收款账户",
        "您填的账户还没有核对，要看一次银行的证明。",
        "wait",
        en=(
            "Decided, your account has to be checked",
            "The account that you named is not checked yet: a proof of the bank has to be seen.",
        ),
        kept=BOOKED,
        todo=(
            "请带身份证和银行卡（或存折、开户证明）到医保窗口，核对后自动打款。",
            "Bring your identity card and your bank card (or bank book, or a certificate of the "
            "account) to the window. It is paid by itself once that was checked.",
        ),
    ),
    "account-closed": Status(
        "已核定，收款账户不能收款",
        "银行说您的收款账户已销户或账号有误。",
        "wait",
        en=(
            "Decided, your account cannot receive money",
            "The bank says that your account is closed or its number is wrong.",
        ),
        kept=BOOKED,
        todo=(
            "请在“收款账户”里换一个账户，生效后自动打款。",
            "Name another account under “Your account”; it is paid by itself once that one is in "
            "effect.",
        ),
    ),
    "account-doubted": Status(
        "已核定，等您确认收款账户",
        "系统出过故障，从备份恢复。您在那段时间改账户的话可能没有保存，为防打错，先不打款。",
        "wait",
        en=(
            "Decided, waiting for your word on the account",
            "The system was restored from a backup. If you changed your account in that time, the "
            "change may be lost: so that money goes to no wrong account, nothing is paid yet.",
        ),
        kept=BOOKED,
        todo=(
            "请打开“收款账户”：还是那个账户就点“还是这个账户”，不是就填新的。然后自动打款。"
            "不方便上网的，带身份证到窗口，或拨打 12393。",
            "Open “Your account”: if the account is still right, say so with one button, else name "
            "the new one. It is then paid by itself. You can also come to the window with your "
            "identity card, or call 12393.",
        ),
    ),
    "account-delay": Status(
        "已核定，等新账户生效",
        "您改了收款账户，为防冒领，要等一段时间才生效。生效时间在“收款账户”里。",
        "wait",
        en=(
            "Decided, waiting for your new account",
            "You changed your account. Against fraud it takes effect after a while: see “Your "
            "account” for the time.",
        ),
        kept=BOOKED,
        todo=(
            "生效后自动打款，您不用做什么。不是您本人改的，请马上在“收款账户”里撤销。",
            "It is then paid by itself: nothing for you to do. If it was not you who changed it, "
            "cancel the change under “Your account” at once.",
        ),
    ),
}
RETURNED: Final = replace(
    WAITING["account-closed"],
    title="银行把钱退回来了",
    meaning="钱打出后又被银行退回，没有留在您的账户里。",
    en=(
        "The bank sent the money back",
        "It was paid, and the bank sent it back: it is not in your account.",
    ),
)
SILENT: Final = Status(
    "银行还没有回执",
    "已经通知银行打款，银行一直没有回执。工作人员正在问银行。",
    "wait",
    en=(
        "No answer from the bank yet",
        "The bank was told to pay and has not answered. Staff are asking it.",
    ),
    kept=(
        "核定的金额已经记账。银行回执以前不会再付一次，以免付两次。",
        "The amount is booked. Until the bank answers it is not paid again, so that nothing is "
        "paid twice.",
    ),
    todo=(
        "请先看看您的账户里有没有这笔钱。想问进展，请打电话 12393。",
        "See first whether the money is in your account. To ask how it goes, call 12393.",
    ),
)
