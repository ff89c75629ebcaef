/** White space and invisible characters from pasted text: zero-width, direction and invisible operator characters. */
const BLANK = /[\s\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF]/;

/** Full-width letters and digits, and Latin ligatures, as produced by input methods and PDF files. */
const PRESENTATION = /[\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A\uFB00-\uFB06]+/g;
const VARIANT_OF_HAN = /(?<=\p{Script=Han})[\uFE00-\uFE0F\u{E0100}-\u{E01EF}]+/gu;

/** The dots people type for the separator between the parts of a name. */
const DOTS = ".\u00B7\u2022\u2024\u2027\u2219\u22C5\u2E31\u2E33\u30FB\uFE52\uFF0E\uFF65";
const SEPARATOR = new RegExp(`(?<=\\p{Script=Han})\\p{Zs}*[${DOTS}]\\p{Zs}*(?=\\p{Script=Han})`, "gu");
const SPACE_IN_HAN = /(?<=\p{Script=Han})\p{Zs}+(?=\p{Script=Han})/gu;

/** Trims blanks and invisible characters. Not by a regular expression, which would rescan a long run of blanks repeatedly. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANK.test(text.charAt(start))) start++;
  while (start < end && BLANK.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Replaces full-width letters and digits, and ligatures, by plain ones. */
export const plainLetters = (text: string): string =>
  text.replaceAll(PRESENTATION, (forms) => forms.normalize("NFKC"));

/**
 * A typed or pasted name in the form on the ID card (rules and sources: docs/names.md). In a name in Han characters, the
 * separator becomes U+00B7 and blanks are removed; nothing else is guessed, and invisible characters within a name stay, to
 * be refused.
 */
export function nameOnCard(name: string): string {
  return withoutRadicals(plainLetters(trimmed(name)))
    .normalize("NFC")
    .replaceAll(VARIANT_OF_HAN, "")
    .replaceAll(SEPARATOR, "\u00B7")
    .replaceAll(SPACE_IN_HAN, "");
}

/**
 * The radicals of the block CJK Radicals Supplement (U+2E80 to U+2EFF), each followed by its ideograph: the
 * property Equivalent_Unified_Ideograph of Unicode 14 (UAX #44, EquivalentUnifiedIdeograph.txt). Most have no compatibility
 * decomposition, so NFKC leaves them.
 */
const PAIRS =
  "⺁厂⺂乛⺃乚⺄乙⺅亻⺆冂⺇𠘨⺈刀⺉刂⺊卜⺋㔾⺌小⺍小⺎兀⺏尣⺐尢⺑𡯂⺒巳⺓幺⺔彑⺕彐⺖忄⺗心⺘扌" +
  "⺙攵⺛旡⺜日⺝月⺞歺⺟母⺠民⺡氵⺢氺⺣灬⺤爫⺥爫⺦丬⺧牛⺨犭⺩王⺪𤴔⺫目⺬示⺭礻⺮𥫗⺯糹⺰纟⺱罓" +
  "⺲罒⺳㓁⺴冗⺵𦉫⺶羊⺷𦍌⺸𦍋⺹耂⺺肀⺻聿⺼肉⺽𦥑⺾艹⺿艹⻀艹⻁虎⻂衤⻃覀⻄西⻅见⻆角⻇𧢲⻈讠⻉贝" +
  "⻊𧾷⻋车⻌辶⻍辶⻎辶⻏邑⻐钅⻑長⻒镸⻓长⻔门⻕𨸏⻖阝⻗雨⻘青⻙韦⻚页⻛风⻜飞⻝食⻞𩙿⻟飠⻠饣⻡𩠐" +
  "⻢马⻣骨⻤鬼⻥鱼⻦鸟⻧卤⻨麦⻩黄⻪黾⻫斉⻬齐⻭歯⻮齿⻯竜⻰龙⻱龜⻲亀⻳龟";

const CHARACTERS = Array.from(PAIRS);
const IDEOGRAPHS: ReadonlyMap<string, string> = new Map(
  CHARACTERS.flatMap((radical, i) => (i % 2 === 0 ? [[radical, CHARACTERS[i + 1] ?? radical]] : [])),
);

/** Replaces radicals, Kangxi radicals (U+2F00 to U+2FD5) included, by their ideographs. */
const withoutRadicals = (text: string): string =>
  text
    .replaceAll(/[\u2E80-\u2EFF]/g, (radical) => IDEOGRAPHS.get(radical) ?? radical)
    .replaceAll(/[\u2F00-\u2FD5]/g, (radical) => radical.normalize("NFKC"));
