/** What tells card numbers, bank accounts, addresses and telephone numbers from other numbers. */

/** Luhn's check digit (ISO/IEC 7812-1, annex B) over a row of digits. */
export const luhn = (digits: string): boolean => {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const twice = digit * 2;
    sum += i % 2 === 0 ? digit : twice > 9 ? twice - 9 : twice;
  }
  return sum % 10 === 0;
};

/** First digits and lengths of the issuers' numbers. */
const issuers: readonly (readonly [prefix: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:30[0-5]|36|38|39)/, [14]],
  [/^(?:6011|65|64[4-9])/, [16]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^62/, [16, 17, 18, 19]],
];

const isCard = (text: string): boolean => {
  const digits = text.replace(/[ -]/g, "");
  return luhn(digits) && issuers.some(([prefix, n]) => prefix.test(digits) && n.includes(digits.length));
};

/** Length of the card number that `text` begins with, separators included; 0 of another number. */
export const cardLength = (text: string): number => {
  if (isCard(text)) return text.length;
  // What was taken for the last group may be a number of its own.
  const shorter = text.replace(/[ -]\d{3}$/, "");
  return shorter.length < text.length && isCard(shorter) ? shorter.length : 0;
};

/** Characters of an IBAN by country (SWIFT's IBAN registry, release 99). */
const IBAN_LENGTHS = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 " +
    "DO28 EE20 " +
    "EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 " +
    "IT27 JO30 " +
    "KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 " +
    "NO15 OM23 " +
    "PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 " +
    "TN24 TR26 " +
    "UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((row) => [row.slice(0, 2), Number(row.slice(2))]),
);

/** Remainder by 97 of the rearranged account number (ISO 7064 MOD 97-10); 1 of a good one. */
export const mod97 = (account: string): number => {
  let rest = 0;
  for (const character of account.slice(4) + account.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
};

/** Length of the IBAN that `text` begins with, its spaces included; 0 where it is none. */
export const ibanLength = (text: string): number => {
  const wanted = IBAN_LENGTHS.get(text.slice(0, 2));
  if (wanted === undefined) return 0;
  let taken = 0;
  let end = 0;
  while (end < text.length && taken < wanted) if (text[end++] !== " ") taken++;
  // A word of capitals may follow after a space; a longer row of letters and digits is something else.
  if (taken < wanted || (end < text.length && text[end] !== " ")) return 0;
  return mod97(text.slice(0, end).replaceAll(" ", "")) === 1 ? end : 0;
};

const octets = (text: string): number[] => text.split(".").map(Number);

/** Four numbers to 255 without leading zeros. */
export const isAddress4 = (text: string): boolean =>
  octets(text).every((n) => n < 256) && !/(?:^|\.)0\d/.test(text);

/** Addresses of private networks, of the link and of the machine itself (RFC 1918, 3927, 1122). */
export const isPrivate4 = (text: string): boolean => {
  const [a, b] = octets(text);
  if (a === 10 || a === 127 || a === 0) return true;
  if (a === 172) return b! >= 16 && b! < 32;
  return (a === 192 && b === 168) || (a === 169 && b === 254);
};

/** Endings of files that are no top-level domains. */
const FILES = new Set(
  (
    "avif bmp bz2 cfg conf csproj css csv dll doc docx eot eps exe gif gz heic htm html ico ini jar " +
    "java jpeg jpg js json jsx less lock log lua mjs mkv mp3 mp4 ogg otf pdf php png ppt pptx psd pyc " +
    "rar rb rpm scss sql svg swf tar tgz tif tiff toml ts tsv tsx ttf txt vue war wasm wav webm webp " +
    "whl woff woff2 xls xlsx xml yaml yml"
  ).split(" "),
);

/** Whether what looks like an e-mail address is a file ("logo@2x.png") or a package ("a@1.2.3-beta.next"). */
export const isFileName = (address: string): boolean => {
  const domain = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
  return FILES.has(domain.slice(domain.lastIndexOf(".") + 1)) || /^\d+\.\d+\./.test(domain);
};

/** Whether the text before `at` says that a version follows. */
export const isVersion = (text: string, at: number): boolean =>
  /(?:version|release|ver\.?|build|rev\.?|\bv\.?)[ :=]{0,2}$/i.test(text.slice(Math.max(0, at - 12), at));

/**
 * Eight groups of hexadecimal digits, or fewer and "::" once. Names such as "a::b" in programs are short:
 * with "::", an address has three groups, or a first group of at least three digits.
 */
export const isAddress6 = (text: string, keepPrivate = false): boolean => {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) || !/\d/.test(text)) return false;
  if (halves.length === 1) return groups.length === 8;
  if (groups.length > 7) return false;
  if (keepPrivate && /^(?:::1$|f[cd]|fe[89ab])/i.test(text)) return false;
  return text === "::1" || groups.length >= 3 || (halves[0] !== "" && groups[0]!.length >= 3);
};
