"""Documents of bills from outside: the fiscal one is ours, the tax one is domain reference 1.6."""

from __future__ import annotations

import datetime as dt
import io
import random
import zipfile

from PIL import Image

from backend.domain.invoice import ExpenseLine, Invoice

AT = dt.datetime(2026, 11, 20, 2, 0, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 3)


def fiscal_invoice() -> Invoice:
    return Invoice(
        institution_code="SH0000000001",
        institution_name="示例上海医院",
        invoice_code="31060126",
        invoice_number="0000000001",
        check_code="a1b2c3",
        total_fen=40_000,
        issued_on=DAY,
        visit_on=DAY,
        payer_name="测试甲",
        own_pay_fen=40_000,
        lines=(ExpenseLine("布洛芬缓释胶囊", 10_000, 400_000_000, 4_000_000, "X1", level="01"),),
    )


TAX_XML = """<EInvoice>
  <Header><EIid>26332000000000012345</EIid><EInvoiceTag>SWEI3200</EInvoiceTag>
    <Version>0.2</Version></Header>
  <EInvoiceData>
    <SellerInformation><SellerIdNum>91330800TEST000001</SellerIdNum>
      <SellerName>示例民营医院</SellerName></SellerInformation>
    <BuyerInformation><BuyerIdNum/><BuyerName>测试乙</BuyerName></BuyerInformation>
    <BasicInformation><TotalAmWithoutTax>200.00</TotalAmWithoutTax><TotalTaxAm>0.00</TotalTaxAm>
      <TotalTax-includedAmount>200.00</TotalTax-includedAmount><Drawer>开票员01</Drawer>
      <RequestTime>2026-04-30 10:11:12</RequestTime></BasicInformation>
    <IssuItemInformation><ItemName>*医疗服务*门诊治疗费</ItemName><SpecMod/>
      <MeaUnits>次</MeaUnits><Quantity>3</Quantity><UnPrice>50</UnPrice>
      <Amount>150.00</Amount><TaxRate>0</TaxRate><ComTaxAm>0.00</ComTaxAm>
      <TotaltaxIncludedAmount>150.00</TotaltaxIncludedAmount></IssuItemInformation>
    <IssuItemInformation><ItemName>*医疗服务*门诊诊察费</ItemName><SpecMod/>
      <MeaUnits>次</MeaUnits><Quantity>1</Quantity><UnPrice>50</UnPrice>
      <Amount>50.00</Amount><TaxRate>0</TaxRate><ComTaxAm>*</ComTaxAm>
      <TotaltaxIncludedAmount>50.00</TotaltaxIncludedAmount></IssuItemInformation>
  </EInvoiceData>
  <TaxSupervisionInfo><InvoiceNumber>26332000000000012345</InvoiceNumber>
    <IssueTime>2026-04-30T10:11:13</IssueTime></TaxSupervisionInfo>
  <TaxBureauSignature><EIid>99999999999999999999</EIid></TaxBureauSignature>
</EInvoice>
""".encode()


def ofd_of(xml: bytes, **more: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", b'<ofd:OFD xmlns:ofd="http://www.ofdspec.org/2016"/>')
        archive.writestr("Doc_0/Attachs/original_invoice.xml", xml)
        for name, data in more.items():
            archive.writestr(name, data)
    return target.getvalue()


def picture(picture_format: str, size: tuple[int, int] = (400, 600)) -> bytes:
    noise = random.Random(7).randbytes(size[0] * size[1] * 3)
    target = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(target, picture_format)
    return target.getvalue()
