"""Write csrc/art_unicode_data.h: the properties that \\p{..} can name, and those that domain names need.

    python tools/gen_unicode.py [NODE]

The sets of ECMA 262's properties are asked of a JavaScript engine (NODE, default `node`), code point by code point,
so names and contents are those of the standard. What is valid in internationalised domain names comes from the `idna`
package (RFC 5892); the direction of characters, viramas, and what composes with what in NFC from `unicodedata2`, which
knows the same version of Unicode. Each set is stored as gap, length, gap, length .. in LEB128.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import idna.idnadata
import unicodedata2 as unicodedata

CATEGORIES = """
LC=Cased_Letter Lu=Uppercase_Letter Ll=Lowercase_Letter Lt=Titlecase_Letter Lm=Modifier_Letter Lo=Other_Letter
L=Letter Mn=Nonspacing_Mark Mc=Spacing_Mark Me=Enclosing_Mark M=Mark=Combining_Mark Nd=Decimal_Number=digit
Nl=Letter_Number No=Other_Number N=Number Pc=Connector_Punctuation Pd=Dash_Punctuation Ps=Open_Punctuation
Pe=Close_Punctuation Pi=Initial_Punctuation Pf=Final_Punctuation Po=Other_Punctuation P=Punctuation=punct
Sm=Math_Symbol Sc=Currency_Symbol Sk=Modifier_Symbol So=Other_Symbol S=Symbol Zs=Space_Separator Zl=Line_Separator
Zp=Paragraph_Separator Z=Separator Cc=Control=cntrl Cf=Format Co=Private_Use Cn=Unassigned C=Other Cs=Surrogate
"""
BINARY = """
ASCII ASCII_Hex_Digit=AHex Alphabetic=Alpha Any Assigned Bidi_Control=Bidi_C Bidi_Mirrored=Bidi_M Case_Ignorable=CI
Cased Changes_When_Casefolded=CWCF Changes_When_Casemapped=CWCM Changes_When_Lowercased=CWL
Changes_When_NFKC_Casefolded=CWKCF Changes_When_Titlecased=CWT Changes_When_Uppercased=CWU Dash
Default_Ignorable_Code_Point=DI Deprecated=Dep Diacritic=Dia Emoji Emoji_Component=EComp Emoji_Modifier=EMod
Emoji_Modifier_Base=EBase Emoji_Presentation=EPres Extended_Pictographic=ExtPict Extender=Ext Grapheme_Base=Gr_Base
Grapheme_Extend=Gr_Ext Hex_Digit=Hex IDS_Binary_Operator=IDSB IDS_Trinary_Operator=IDST ID_Continue=IDC ID_Start=IDS
Ideographic=Ideo Join_Control=Join_C Logical_Order_Exception=LOE Lowercase=Lower Math Noncharacter_Code_Point=NChar
Pattern_Syntax=Pat_Syn Pattern_White_Space=Pat_WS Quotation_Mark=QMark Radical Regional_Indicator=RI
Sentence_Terminal=STerm Soft_Dotted=SD Terminal_Punctuation=Term Unified_Ideograph=UIdeo Uppercase=Upper
Variation_Selector=VS White_Space=space XID_Continue=XIDC XID_Start=XIDS
"""
SCRIPTS = """
Adlm=Adlam Aghb=Caucasian_Albanian Ahom Arab=Arabic Armi=Imperial_Aramaic Armn=Armenian Avst=Avestan Bali=Balinese
Bamu=Bamum Bass=Bassa_Vah Batk=Batak Beng=Bengali Berf=Beria_Erfe Bhks=Bhaiksuki Bopo=Bopomofo Brah=Brahmi
Brai=Braille Bugi=Buginese Buhd=Buhid Cakm=Chakma Cans=Canadian_Aboriginal Cari=Carian Cham Cher=Cherokee
Chrs=Chorasmian Copt=Coptic=Qaac Cpmn=Cypro_Minoan Cprt=Cypriot Cyrl=Cyrillic Deva=Devanagari Diak=Dives_Akuru
Dogr=Dogra Dsrt=Deseret Dupl=Duployan Egyp=Egyptian_Hieroglyphs Elba=Elbasan Elym=Elymaic Ethi=Ethiopic Gara=Garay
Geor=Georgian Glag=Glagolitic Gong=Gunjala_Gondi Gonm=Masaram_Gondi Goth=Gothic Gran=Grantha Grek=Greek Gujr=Gujarati
Gukh=Gurung_Khema Guru=Gurmukhi Hang=Hangul Hani=Han Hano=Hanunoo Hatr=Hatran Hebr=Hebrew Hira=Hiragana
Hluw=Anatolian_Hieroglyphs Hmng=Pahawh_Hmong Hmnp=Nyiakeng_Puachue_Hmong Hung=Old_Hungarian Ital=Old_Italic
Java=Javanese Kali=Kayah_Li Kana=Katakana Kawi Khar=Kharoshthi Khmr=Khmer Khoj=Khojki Kits=Khitan_Small_Script
Knda=Kannada Krai=Kirat_Rai Kthi=Kaithi Lana=Tai_Tham Laoo=Lao Latn=Latin Lepc=Lepcha Limb=Limbu Lina=Linear_A
Linb=Linear_B Lisu Lyci=Lycian Lydi=Lydian Mahj=Mahajani Maka=Makasar Mand=Mandaic Mani=Manichaean Marc=Marchen
Medf=Medefaidrin Mend=Mende_Kikakui Merc=Meroitic_Cursive Mero=Meroitic_Hieroglyphs Mlym=Malayalam Modi Mong=Mongolian
Mroo=Mro Mtei=Meetei_Mayek Mult=Multani Mymr=Myanmar Nagm=Nag_Mundari Nand=Nandinagari Narb=Old_North_Arabian
Nbat=Nabataean Newa Nkoo=Nko Nshu=Nushu Ogam=Ogham Olck=Ol_Chiki Onao=Ol_Onal Orkh=Old_Turkic Orya=Oriya Osge=Osage
Osma=Osmanya Ougr=Old_Uyghur Palm=Palmyrene Pauc=Pau_Cin_Hau Perm=Old_Permic Phag=Phags_Pa Phli=Inscriptional_Pahlavi
Phlp=Psalter_Pahlavi Phnx=Phoenician Plrd=Miao Prti=Inscriptional_Parthian Rjng=Rejang Rohg=Hanifi_Rohingya Runr=Runic
Samr=Samaritan Sarb=Old_South_Arabian Saur=Saurashtra Sgnw=SignWriting Shaw=Shavian Shrd=Sharada Sidd=Siddham
Sidt=Sidetic Sind=Khudawadi Sinh=Sinhala Sogd=Sogdian Sogo=Old_Sogdian Sora=Sora_Sompeng Soyo=Soyombo Sund=Sundanese
Sunu=Sunuwar Sylo=Syloti_Nagri Syrc=Syriac Tagb=Tagbanwa Takr=Takri Tale=Tai_Le Talu=New_Tai_Lue Taml=Tamil
Tang=Tangut Tavt=Tai_Viet Tayo=Tai_Yo Telu=Telugu Tfng=Tifinagh Tglg=Tagalog Thaa=Thaana Thai Tibt=Tibetan
Tirh=Tirhuta Tnsa=Tangsa Todr=Todhri Tols=Tolong_Siki Toto Tutg=Tulu_Tigalari Ugar=Ugaritic Vaii=Vai Vith=Vithkuqi
Wara=Warang_Citi Wcho=Wancho Xpeo=Old_Persian Xsux=Cuneiform Yezi=Yezidi Yiii=Yi Zanb=Zanabazar_Square
Zinh=Inherited=Qaai Zyyy=Common Zzzz=Unknown
"""

ASK = r"""
const queries = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const out = {version: process.versions.unicode, sets: {}};
for (const q of queries) {
  let re;
  try { re = new RegExp('^\\p{' + q + '}$', 'u'); } catch (e) { out.sets[q] = null; continue; }
  const ranges = [];
  for (let cp = 0; cp < 0x110000; cp++) {
    if (cp >= 0xD800 && cp < 0xE000) continue;
    if (!re.test(String.fromCodePoint(cp))) continue;
    const last = ranges.length - 1;
    if (last >= 0 && ranges[last][1] === cp - 1) ranges[last][1] = cp; else ranges.push([cp, cp]);
  }
  out.sets[q] = ranges;
}
process.stdout.write(JSON.stringify(out));
"""

Ranges = tuple[tuple[int, int], ...]


def ranges_of(code_points: list[int]) -> Ranges:
    out: list[tuple[int, int]] = []
    for cp in sorted(code_points):
        if 0xD800 <= cp <= 0xDFFF:
            continue
        if out and out[-1][1] == cp - 1:
            out[-1] = (out[-1][0], cp)
        else:
            out.append((cp, cp))
    return tuple(out)


def unpack(packed: tuple[int, ...]) -> list[int]:
    """Code points; each entry is start << 32 | end."""
    return [cp for entry in packed for cp in range(entry >> 32, entry & 0xFFFFFFFF)]


def domain_name_sets() -> dict[str, Ranges]:
    """The properties of RFC 5892 and RFC 5893."""
    direction: dict[str, list[int]] = {}
    groups = {"L": "L", "R": "R", "AL": "R", "AN": "AN", "EN": "EN", "NSM": "NSM"}
    groups |= dict.fromkeys(("ES", "CS", "ET", "ON", "BN"), "Neutral")
    virama = []
    for cp in range(0x110000):
        group = groups.get(unicodedata.bidirectional(chr(cp)))
        if group:
            direction.setdefault(f"Bidi_{group}", []).append(cp)
        if unicodedata.combining(chr(cp)) == 9:
            virama.append(cp)
    sets = {"PVALID": unpack(idna.idnadata.codepoint_classes["PVALID"]), "Virama": virama, **direction}
    for letter in "LRDT":
        sets[f"Join_{letter}"] = unpack(idna.idnadata.joining_types[letter])
    return {name: ranges_of(cps) for name, cps in sets.items()}


Triples = list[tuple[int, int, int]]


def compositions() -> Triples:
    """Pairs of characters and what they compose to in NFC, of those that are PVALID. All are made of PVALID characters
    but syllables of Hangul, and what those are made of composes with nothing that is PVALID."""
    valid = set(unpack(idna.idnadata.codepoint_classes["PVALID"]))
    pairs = []
    for cp in range(0x110000):
        parts = unicodedata.decomposition(chr(cp)).split()
        if len(parts) != 2 or parts[0].startswith("<") or 0xAC00 <= cp <= 0xD7A3:
            continue
        first, second = (int(part, 16) for part in parts)
        is_composed = unicodedata.normalize("NFC", chr(first) + chr(second)) == chr(cp)
        if is_composed and (cp in valid or {first, second} <= valid):
            assert {cp, first, second} <= valid
            assert unicodedata.combining(chr(cp)) == unicodedata.combining(chr(first)) == 0
            assert unicodedata.decomposition(chr(second)) == ""
            pairs.append((first, second, cp))
    for cp in valid:
        assert unicodedata.category(chr(cp)) != "Cn", f"{cp:X} is of a later version of Unicode"
        assert unicodedata.normalize("NFC", chr(cp)) == chr(cp)
    for first, last in ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF)):  # what Hangul is made of
        assert valid.isdisjoint(range(first, last + 1))
    return sorted(pairs)


def combining_classes() -> Triples:
    """First character, how many, and their canonical combining class, of PVALID characters whose class is not 0."""
    ranges: Triples = []
    for cp in sorted(unpack(idna.idnadata.codepoint_classes["PVALID"])):
        combining = unicodedata.combining(chr(cp))
        if ranges and (ranges[-1][0] + ranges[-1][1], ranges[-1][2]) == (cp, combining):
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1, combining)
        elif combining:
            ranges.append((cp, 1, combining))
    return ranges


def composing_sets(pairs: Triples) -> dict[str, Ranges]:
    """What may compose: a character of Before_M with a mark of After_M, even where other marks
    stand between; one of Before_S with one of After_S, which is no mark, right behind it."""
    parts_of = {whole: (first, second) for first, second, whole in pairs}
    sets: dict[str, set[int]] = {name: set() for name in ("Before_M", "After_M", "Before_S", "After_S")}

    def combining(cp: int) -> int:
        return unicodedata.combining(chr(cp))

    for first, second, _ in pairs:
        kind = "M" if combining(second) else "S"
        sets["Before_" + kind].add(first)
        sets["After_" + kind].add(second)
    for whole in parts_of:
        at, is_mark = whole, False
        while at in parts_of:
            is_mark = is_mark or combining(parts_of[at][1]) > 0
            at = parts_of[at][0]
        if is_mark:  # a mark behind it may come before those that it is made of
            sets["Before_M"].add(whole)
        if at in sets["After_S"]:  # what it begins with composes
            sets["After_S"].add(whole)
    return {name: ranges_of(list(cps)) for name, cps in sets.items()}


def leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(ranges: Ranges) -> bytes:
    out, at = bytearray(), 0
    for lo, hi in ranges:
        out += leb128(lo - at) + leb128(hi - lo)
        at = hi + 1
    return bytes(out)


def main() -> None:
    node = sys.argv[1] if len(sys.argv) > 1 else "node"
    tables = {"categories": [], "scripts": [], "script_extensions": [], "binary": [], "idna": []}
    prefixes = {
        "categories": ("General_Category=", CATEGORIES),
        "scripts": ("Script=", SCRIPTS),
        "script_extensions": ("Script_Extensions=", SCRIPTS),
        "binary": ("", BINARY),
    }
    names = {
        table: [(alias, prefix + word.split("=")[0]) for word in text.split() for alias in word.split("=")]
        for table, (prefix, text) in prefixes.items()
    }
    queries = sorted({query for entries in names.values() for _, query in entries})
    answer = json.loads(
        subprocess.run([node, "-e", ASK], input=json.dumps(queries), capture_output=True, text=True, check=True).stdout
    )
    data, sets, index = bytearray(), [], {}

    def set_number(ranges: Ranges) -> int:
        if ranges not in index:
            index[ranges] = len(sets)
            sets.append((len(data), len(ranges)))
            data.extend(encode(ranges))
        return index[ranges]

    for table, entries in names.items():
        for alias, query in entries:
            if answer["sets"][query] is None:
                print(f"not known to {node}: {query}", file=sys.stderr)
                continue
            tables[table].append((alias, set_number(tuple(map(tuple, answer["sets"][query])))))
    pairs = compositions()
    for name, ranges in (domain_name_sets() | composing_sets(pairs)).items():
        tables["idna"].append((name, set_number(ranges)))

    lines = [
        "/* SPDX-License-Identifier: Apache-2.0",
        " *",
        " * Written by tools/gen_unicode.py; do not edit. Versions of Unicode: properties of ECMA 262",
        f" * {answer['version']}, PVALID and joining types {idna.idnadata.__version__},"
        f" directions and normalisation {unicodedata.unidata_version}. */",
        "",
        "static const uint8_t set_bytes[] = {",
    ]
    row = "   "
    for byte in data:
        cell = f" {byte},"
        if len(row) + len(cell) > 120:
            lines.append(row)
            row = "   "
        row += cell
    lines += [row, "};", "", "static const set_place set_places[] = { /* first byte, ranges */"]
    row = "   "
    for offset, n in sets:
        cell = f" {{{offset}, {n}}},"
        if len(row) + len(cell) > 120:
            lines.append(row)
            row = "   "
        row += cell
    lines += [row, "};"]
    for table, entries in tables.items():
        lines += ["", f"static const set_name {table}[] = {{ /* sorted by name */"]
        row = "   "
        for alias, number in sorted(set(entries)):
            cell = f' {{"{alias}", {number}}},'
            if len(row) + len(cell) > 120:
                lines.append(row)
                row = "   "
            row += cell
        lines += [row, "};"]
    by_whole = sorted(range(len(pairs)), key=lambda i: pairs[i][2])
    for head, cells in (
        (
            "composition compositions[] = { /* sorted by first, then by second */",
            [f"{{0x{first:X}, 0x{second:X}, 0x{whole:X}}}," for first, second, whole in pairs],
        ),
        ("uint16_t by_whole[] = { /* places in compositions, by what they compose to */", [f"{i}," for i in by_whole]),
        (
            "class_range class_ranges[] = { /* sorted; class 0 elsewhere */",
            [f"{{0x{first:X}, {n}, {combining}}}," for first, n, combining in combining_classes()],
        ),
    ):
        lines += ["", f"static const {head}"]
        row = "   "
        for cell in cells:
            if len(row) + len(cell) + 1 > 120:
                lines.append(row)
                row = "   "
            row += f" {cell}"
        lines += [row, "};"]
    path = Path(__file__).parent.parent / "csrc" / "art_unicode_data.h"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path}: {len(data)} bytes, {len(sets)} sets")


if __name__ == "__main__":
    main()
