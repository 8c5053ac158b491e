/**
 * HTML as plain text: block elements end lines, paragraphs leave a blank one, `pre` keeps its white space,
 * and what is no prose (scripts, styles, navigation) is dropped. It works on tags as they come and holds no
 * tree, so that its memory is that of the text; a parser calls `open`, `close` and `text`.
 */
import { fromLatin1 } from "../text/mojibake.ts";

/** Elements whose content is dropped. */
const DROPPED = new Set(
  "script style nav template noscript svg title iframe noembed noframes canvas object select".split(" "),
);

const PARAGRAPHS = new Set(
  "p h1 h2 h3 h4 h5 h6 blockquote pre ul ol dl table figure section article main form fieldset".split(" "),
);

const BLOCKS = new Set(
  (
    "address aside body caption center dd details dialog div dt figcaption footer header hgroup hr html li " +
    "legend menu option summary tbody tfoot thead tr search"
  ).split(" "),
);

/** Elements that may have no end tag. */
const UNENDED = new Set(
  (
    "area base br col embed hr img input link meta source track wbr " +
    "li p dt dd tr td th thead tbody tfoot option optgroup rt rp colgroup caption"
  ).split(" "),
);

/** Elements whose end also ends what was left open in them. */
const ENCLOSING = new Set("div section article main body html header footer aside table".split(" "));

/** Elements of HTML that end an svg that is left open (HTML, section 13.2.6.5). */
const BREAKOUT = new Set(
  (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing " +
    "menu meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
  ).split(" "),
);

/** Elements of an svg that hold HTML. */
const INTEGRATION = new Set(["foreignobject", "desc", "title"]);

const CELLS = new Set(["td", "th"]);

/** Joins texts by the widest of the gaps asked for between them: a space, a line end, a blank line. */
const joiner = () => {
  const out: string[] = [];
  let breaks = 0;
  let space = false;
  return {
    lines(count: number): void {
      breaks = Math.max(breaks, count);
    },
    line(): void {
      breaks = Math.min(2, breaks + 1);
    },
    space(): void {
      space = true;
    },
    put(text: string): void {
      if (text === "") return;
      if (out.length > 0) out.push(breaks > 0 ? "\n".repeat(breaks) : space ? " " : "");
      breaks = 0;
      space = false;
      out.push(text);
    },
    result: (): string => out.join(""),
  };
};

/** Follows which elements are open that are dropped with all that is in them. */
const dropper = () => {
  let name = "";
  let depth = 0;
  /** Elements open in the dropped one, of those that have an end tag. */
  let inside = 0;
  /** Elements of an svg open that hold HTML. */
  let holding = 0;
  const isForeign = (): boolean => name === "svg" && holding === 0;
  return {
    isForeign,
    /** Whether an element that opens is dropped. */
    open(opened: string): boolean {
      if (isForeign() && BREAKOUT.has(opened)) name = "";
      if (name === "svg" && INTEGRATION.has(opened)) holding++;
      if (name === "") {
        if (!DROPPED.has(opened)) return false;
        name = opened;
        depth = 1;
        inside = 0;
        holding = 0;
      } else if (name === opened) depth++;
      else if (!UNENDED.has(opened)) inside++;
      return true;
    },
    /** Whether an end tag is one of what is dropped; that of an element around it ends what was left open. */
    close(closed: string): boolean {
      if (name === "") return false;
      if (isForeign() && (closed === "p" || closed === "br" || ENCLOSING.has(closed))) {
        name = "";
        return false;
      }
      if (name === "svg" && INTEGRATION.has(closed)) holding = Math.max(0, holding - 1);
      const around = closed !== name && inside === 0 && ENCLOSING.has(closed);
      if (around || closed === "body" || closed === "html") {
        name = "";
        return false;
      }
      if (closed === name) depth--;
      else if (!UNENDED.has(closed)) inside = Math.max(0, inside - 1);
      if (depth === 0) name = "";
      return true;
    },
    isOpen: (): boolean => name !== "",
  };
};

/** Builds the text of an HTML document from its tags (lower case) and texts (references decoded). */
export const htmlText = () => {
  const out = joiner();
  const dropped = dropper();
  let kept = 0;
  const boundary = (name: string): void => {
    if (PARAGRAPHS.has(name)) out.lines(2);
    else if (BLOCKS.has(name)) out.lines(1);
    else if (CELLS.has(name)) out.space();
  };
  return {
    /** Whether what is open is a drawing, whose elements are none of HTML's. */
    isForeign: dropped.isForeign,
    open(name: string): void {
      if (dropped.open(name)) return;
      boundary(name);
      if (name === "br") out.line();
      if (name === "pre") kept++;
    },
    close(name: string): void {
      if (dropped.close(name)) return;
      boundary(name);
      if (name === "pre") kept = Math.max(0, kept - 1);
    },
    text(text: string): void {
      if (dropped.isOpen()) return;
      const words = kept > 0 ? text : text.replace(/[\t\n\f\r ]+/g, " ");
      if (kept === 0 && words.startsWith(" ")) out.space();
      out.put(kept > 0 ? words : words.replace(/^ | $/g, ""));
      if (kept === 0 && words.endsWith(" ")) out.space();
    },
    result: out.result,
  };
};

/** Names of the characters 160 to 255 (HTML 4.01, section 24.2). */
const LATIN =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 " +
  "sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc " +
  "Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve " +
  "Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute " +
  "acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde " +
  "ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

const NAMED: ReadonlyMap<string, string> = new Map([
  ...LATIN.split(" ").map((name, i) => [name, String.fromCharCode(160 + i)] as const),
  ...Object.entries({
    amp: "&",
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    OElig: "Œ",
    oelig: "œ",
    Scaron: "Š",
    scaron: "š",
    ensp: "\u2002",
    emsp: "\u2003",
    thinsp: "\u2009",
    ndash: "–",
    mdash: "—",
    lsquo: "‘",
    rsquo: "’",
    sbquo: "‚",
    ldquo: "“",
    rdquo: "”",
    bdquo: "„",
    dagger: "†",
    bull: "•",
    hellip: "…",
    permil: "‰",
    prime: "′",
    lsaquo: "‹",
    rsaquo: "›",
    euro: "€",
    trade: "™",
    larr: "←",
    rarr: "→",
    minus: "−",
    le: "≤",
    ge: "≥",
    ne: "≠",
  }),
]);

const REFERENCE = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,7}));/g;

/** White space and printable characters; 128 to 159 are Windows-1252's, as browsers read them. */
const numbered = (code: number): string | undefined =>
  (code >= 32 || (code >= 9 && code <= 13)) && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
    ? fromLatin1(String.fromCodePoint(code))
    : undefined;

/** Numbered and common named character references (`&eacute;`, `&#233;`), once; unknown ones stay. */
export const decodeEntities = (text: string): string =>
  text.replace(REFERENCE, (all: string, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED.get(name) ?? all;
    return numbered(decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal)) ?? all;
  });

const PAGE_TAGS = "p|div|span|br|a|li|ul|ol|table|tr|td|h[1-6]|b|i|em|strong|img|html|body";
const TAG = new RegExp(`<(?:/?(?:${PAGE_TAGS})\\b[^<>]{0,500}|!doctype html)>`, "gi");

/** Whether a text is likely HTML and not prose or code about it: three tags of pages, or a doctype. */
export const isHtml = (text: string): boolean => {
  let tags = 0;
  for (const { 0: tag } of text.matchAll(TAG)) {
    tags += tag.startsWith("<!") ? 3 : 1;
    if (tags >= 3) return true;
  }
  return false;
};
