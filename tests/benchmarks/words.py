"""Running text, names, numbers and subjects of a trading company's mail, in Chinese and English.

Word frequencies fall off as in natural language (Zipf), over a vocabulary large enough that neither a compressor nor a
full-text index has an easier time than with real mail.
"""

from __future__ import annotations

import random
from itertools import accumulate


def _words(text: str) -> list[str]:
    return text.split()


ENGLISH_WORDS = _words(
    """
    the of to and please a in for is we our your on with be this that are will have you as by it from attached
    shipment order payment invoice contract kindly confirm quotation price quantity delivery goods container vessel
    bank port date sample quality inspection terms balance deposit revised copy original documents letter credit
    bill lading certificate origin packing list freight insurance customs clearance warehouse carton pallet gross
    weight net volume item model colour size drawing mould tooling production schedule lead time week month supplier
    factory customer agent buyer seller discount commission amount total unit currency dollars exchange rate
    transfer telegraphic advance against draft signature stamp company department manager meeting call tomorrow
    yesterday today urgent soon possible regards best sincerely thank thanks look forward hearing reply regarding
    following below above mentioned per agreement clause warranty claim defect replacement return refund penalty
    delay holiday booking closing departure arrival transit demurrage detention telex release surrendered consignee
    notify party shipper forwarder tariff code duty tax value market trend demand steel aluminium plastic textile
    cotton electronic battery charger cable lamp fitting valve bearing pump motor spare part assembly test report
    approval standard label barcode artwork package inner outer master export import license registration visa
    exhibition booth catalogue brochure website account statement overdue reminder settle outstanding offset
    difference correction amendment version final signed scanned courier tracking number receipt proof
    """
)

CHINESE_WORDS = _words(
    """
    的 请 我们 贵司 您好 附件 合同 采购合同 销售合同 订单 发票 形式发票 商业发票 付款 电汇 信用证 提单
    装箱单 原产地证 报关 清关 海运 空运 快递 货代 船期 截关 订舱 集装箱 目的港 起运港 上海 宁波 深圳 青岛
    广州 汉堡 洛杉矶 迪拜 数量 单价 总价 金额 美元 人民币 汇率 定金 尾款 余款 交期 交货 生产 工厂 供应商
    客户 样品 质量 检验 验货 报告 标准 包装 纸箱 托盘 毛重 净重 体积 规格 型号 颜色 图纸 模具 开模 排期
    延误 节假日 春节 确认 回复 查收 安排 尽快 今天 明天 本周 下周 月底 之前 之后 已经 需要 可以 如有 问题
    联系 电话 会议 讨论 方案 报价 报价单 折扣 佣金 代理 协议 条款 签字 盖章 扫描件 原件 复印件 寄出 单号
    跟踪 到达 放货 电放 仓库 库存 补货 退货 赔偿 索赔 不良 更换 维修 保修 认证 检测 证书 商检 税率 退税
    海关 编码 申报 价值 保险 保单 运费 到付 预付 对账 对账单 逾期 催款 结清 差额 更正 修改 版本 最终 审批
    财务 业务 销售 采购 经理 总监 部门 公司 集团 有限公司 进出口 贸易 市场 需求 趋势 原材料 钢材 铝材 塑料
    面料 棉 电子 电池 充电器 电缆 灯具 配件 阀门 轴承 水泵 电机 备件 组装 测试 标签 条码 彩盒 内盒 外箱
    展会 展位 目录 网站 新品 推广 优惠 活动 通知 提醒 系统 账号 密码 登录 链接 下载 更新 感谢 支持 合作
    愉快 顺祝 商祺 谢谢 辛苦 麻烦 关于 根据 按照 由于 因此 但是 同时 另外 以及 或者 如果 否则 为了 通过
    进行 完成 提供 收到 发送 签署 执行 履行 双方 甲方 乙方 争议 仲裁 适用 法律
    """
)

_ONSETS = _words(
    """
    b c ch cl d f g gr h j k l m n p pr qu r s sh st t th tr v w
    """
)
_NUCLEI = _words(
    """
    a e i o u ai ea io ou
    """
)
_CODAS = _words(
    """
    n r s t l m ck nd st x
    """
)
_RARE_HANZI = "".join(chr(0x4E00 + offset) for offset in range(0, 12000, 9))
SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗"
GIVEN_NAMES = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰飞鹏"
FIRST_NAMES = _words(
    """
    Anna Boris Carla David Elena Farid Grace Hans Ivana James Karim Laura Marco Nadia Omar Paula Ravi Sofia Tomas
    Vera
    """
)
LAST_NAMES = _words(
    """
    Adler Becker Costa Duarte Evans Fischer Garcia Hassan Ivanov Jensen Khan Lopez Meyer Novak Okafor Patel Rossi
    Silva
    """
)


def _rare_english(count: int) -> list[str]:
    rng = random.Random("rare english words")
    return [
        "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) for _ in range(rng.randint(1, 3))) + rng.choice(_CODAS)
        for _ in range(count)
    ]


def _rare_chinese(count: int) -> list[str]:
    rng = random.Random("rare chinese words")
    return ["".join(rng.choices(_RARE_HANZI, k=rng.choice((1, 2, 2, 2, 3)))) for _ in range(count)]


def _zipf(count: int, share: float = 1.0) -> list[float]:
    weights = list(accumulate(1.0 / (rank + 8) for rank in range(count)))
    return [weight / weights[-1] * share for weight in weights]


class _Vocabulary:
    """Words, and phrases of two to four of them, which make up 40 % of what is drawn, as words keep company."""

    def __init__(self, words: list[str], space: str) -> None:
        rng, weights = random.Random(f"phrases of {len(words)} words"), _zipf(len(words))
        self.words = words
        phrases = [space.join(rng.choices(words, cum_weights=weights, k=rng.randint(2, 4))) for _ in range(20_000)]
        self._units = words + phrases
        self._weights = _zipf(len(words), 0.6) + [0.6 + weight for weight in _zipf(len(phrases), 0.4)]

    def draw(self, rng: random.Random, words: int) -> list[str]:
        """Units that hold about so many words."""
        return rng.choices(self._units, cum_weights=self._weights, k=max(1, words * 10 // 18))


_ENGLISH = _Vocabulary(ENGLISH_WORDS + _rare_english(20_000), " ")
_CHINESE = _Vocabulary(CHINESE_WORDS + _rare_chinese(12_000), "")


def reference(rng: random.Random, year: int) -> str:
    """A business number such as `PI-2024-01832`."""
    return f"{rng.choice(('PI', 'CI', 'PO', 'SC', 'QT', 'BL', 'LC'))}-{year}-{rng.randrange(100_000):05d}"


def amount(rng: random.Random) -> str:
    """An amount of money with its currency."""
    return f"{rng.choice(('USD', 'EUR', 'CNY', 'GBP'))} {rng.randrange(10_000, 99_999_999) / 100:,.2f}"


def english(rng: random.Random, words: int) -> str:
    """About `words` words in sentences, with a number or an amount now and then."""
    drawn = _ENGLISH.draw(rng, words)
    sentences, position = [], 0
    while position < len(drawn):
        length = rng.randint(3, 9)
        sentence = " ".join(drawn[position : position + length])
        if length > 8:
            sentence += f" {reference(rng, 2024)} {amount(rng)}"
        sentences.append(sentence[:1].upper() + sentence[1:] + ".")
        position += length
    return " ".join(sentences)


def chinese(rng: random.Random, words: int) -> str:
    """About `words` words in sentences, unspaced as Chinese is written."""
    drawn = _CHINESE.draw(rng, words)
    pieces, position = [], 0
    while position < len(drawn):
        length = rng.randint(2, 6)
        pieces.append("".join(drawn[position : position + length]))
        if length == 6:
            pieces.append(f"{reference(rng, 2024)}，{amount(rng)}")
        pieces.append("。" if length % 3 == 0 else "，")
        position += length
    return "".join(pieces)


def paragraphs(rng: random.Random, language: str, words: int) -> str:
    """Running text of about `words` words in paragraphs of up to 70; language is "zh" or "en"."""
    write = chinese if language == "zh" else english
    return "\n\n".join(write(rng, min(70, words - start)) for start in range(0, words, 70))


def person(rng: random.Random, language: str) -> tuple[str, str]:
    """Display name and the local part of an address."""
    if language == "zh":
        name = rng.choice(SURNAMES) + "".join(rng.choices(GIVEN_NAMES, k=rng.randint(1, 2)))
        return name, f"user{sum(map(ord, name)) % 9973}"
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    return f"{first} {last}", f"{first}.{last}".lower()


def subject(rng: random.Random, language: str, year: int) -> str:
    """The subject of a deal."""
    topics = (
        ("采购合同", "形式发票", "报价单", "装船通知", "信用证修改", "样品确认", "验货报告", "对账单")
        if language == "zh"
        else (
            "Purchase order",
            "Proforma invoice",
            "Quotation",
            "Shipping advice",
            "L/C amendment",
            "Sample approval",
            "Statement",
        )
    )
    return f"{rng.choice(topics)} {reference(rng, year)} {' '.join(rng.choices(ENGLISH_WORDS, k=2))}"
