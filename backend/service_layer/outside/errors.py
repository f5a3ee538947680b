"""Refusals of bills from outside: what happened, what was kept, what to do."""

from __future__ import annotations

from typing import Final

from backend.domain.errors import ConflictError, DomainError, NotFoundError

#: code -> (Chinese, English). docs/outside-bills.md lists them.
FILE_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "empty-file": (
        "文件是空的。请重新选择文件。",
        "the file is empty; choose it again",
    ),
    "file-too-large": (
        "文件超过大小上限（8 MB）。请压缩图片，或分开上传。",
        "the file is larger than 8 MB; compress it or send the pages one by one",
    ),
    "unknown-file-type": (
        "不认识这种文件。请上传医院给的 XML、OFD 文件，或 JPG、PNG 图片、PDF。",
        "not a kind of file that is taken: XML, OFD, JPEG, PNG or PDF",
    ),
    "bad-picture": (
        "图片打不开或不完整。请重新拍照再上传。",
        "the picture cannot be opened or is cut off; take it again",
    ),
    "picture-too-large": (
        "图片的尺寸超过上限（4000 万像素，PNG 2400 万）。请用手机相机的普通模式再拍。",
        "the picture has more than 40 million pixels (PNG: 24); take it again at a usual size",
    ),
    "picture-too-small": (
        "图片太小，看不清字（短边至少 300 像素）。请靠近些再拍。",
        "the picture is too small to be read (at least 300 pixels a side)",
    ),
    "bad-pdf": (
        "PDF 文件不完整。请重新下载或导出后再上传。",
        "the PDF is incomplete; download or export it again",
    ),
    "bad-archive": (
        "OFD 文件打不开、被加密或结构异常。请向医院重新下载，或改传图片。",
        "the OFD file cannot be opened, is encrypted or is built in a way that is not taken",
    ),
    "archive-too-large": (
        "OFD 文件解开后超过上限。请改传 XML 或图片。",
        "the OFD file is too large when unpacked; send the XML or a picture",
    ),
    "ofd-without-data": (
        "OFD 文件里没有结构化的票据数据。请改传 XML，或上传图片由工作人员录入。",
        "the OFD file holds no structured bill; send the XML, or a picture for a clerk to type",
    ),
    "several-bills": (
        "一个文件里有多张票据。请一张一张上传。",
        "the file holds several bills; send them one by one",
    ),
    "bill-file-missing": (
        "没有收到票据文件。请选择票据再上传。",
        "no file of the bill itself; choose it",
    ),
    "several-bill-files": (
        "一次只能上传一张票据。请一张一张上传。",
        "one bill at a time",
    ),
    "list-with-data": (
        "费用清单请上传图片或 PDF；XML、OFD 请作为票据上传。",
        "the cost list is a picture or a PDF; an XML or OFD file goes in as the bill",
    ),
    "too-many-files": (
        "一张票据最多 10 个文件。请合并或去掉多余的。",
        "at most 10 files go with one bill",
    ),
}


class UnusableFileError(DomainError):
    """A file is not one that is taken; ``fault`` is a key of FILE_TEXTS. Nothing was kept."""

    code = "unusable-file"

    def __init__(self, fault: str) -> None:
        zh, en = FILE_TEXTS[fault]
        super().__init__(f"没有收下这个文件，什么也没有保存。{zh}", f"nothing was kept: {en}")
        self.fault = fault


class UploadLimitError(DomainError):
    """A person's limit of bills or files is reached."""

    code = "outside-limit"


class NotClaimableError(DomainError):
    """The document says by itself that it cannot be claimed; ``fault`` is a short code."""

    code = "outside-not-claimable"

    def __init__(self, fault: str, zh: str, en: str) -> None:
        super().__init__(f"没有收下这张票据。{zh}", f"the bill was not taken: {en}")
        self.fault = fault


class DuplicateBillError(ConflictError):
    """The same number, or the very same file, is here already."""

    code = "outside-duplicate"

    def __init__(self, own_number: str = "") -> None:
        where = f"：您的外来票据 {own_number}" if own_number else ""
        super().__init__(
            f"这张票据已经交过了{where}。没有重复收下，也不会重复报销。",
            "this bill is here already"
            + (f" as your bill {own_number}" if own_number else "")
            + "; nothing was taken twice",
        )
        self.own_number = own_number


class StepRefusedError(ConflictError):
    """Somebody may not do this step, or not now; ``fault`` is a short code."""

    code = "outside-step-refused"

    def __init__(self, fault: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.fault = fault


class TranscriptError(DomainError):
    """What was typed is no bill, or not this one; ``errors`` lists every fault."""

    code = "outside-transcript"

    def __init__(self, zh: str, en: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(zh, en)
        self.errors = errors or []


class AgencyMissingError(DomainError):
    """The agency is not set up as an issuer of the ledger yet."""

    code = "agency-missing"

    def __init__(self) -> None:
        super().__init__(
            "经办机构还没有登记为签发方，外来票据暂不能审核。请运行 yichu outside set-up-agency",
            "the agency is no issuer yet: run yichu outside set-up-agency",
        )


class NoSuchFileError(NotFoundError):
    """The stored file is missing or is not what its digest says."""

    code = "outside-file-missing"
