/**
 * Personal data to placeholders: e-mail addresses, account and card numbers, IP addresses, telephone
 * numbers. A kind is a pattern that finds candidates (every repetition in it bounded, so that time is
 * linear in the text) and a check that a number of some other meaning fails. What stands beside a
 * placeholder is left alone, so that a masked text is masked no further.
 */
import { ConfigError } from "../../util/errors.ts";
import {
  cardLength,
  ibanLength,
  isAddress4,
  isAddress6,
  isFileName,
  isPrivate4,
  isVersion,
} from "./checkDigits.ts";
import { labelledPhone, phoneLabel, phoneLength, phoneShapes } from "./phones.ts";

/** Which kinds of personal data are masked. */
export interface PersonalOptions {
  /** Kinds to look for; all where absent. */
  readonly kinds?: readonly PersonalKind[];
  /** Leaves the addresses of private networks and of the machine itself (10/8, 192.168/16, 127/8, ::1). */
  readonly keepPrivateAddresses?: boolean;
}

interface Kind {
  readonly name: string;
  /** What it finds, in one sentence. */
  readonly finds: string;
  readonly placeholder: string;
  readonly pattern: RegExp;
  /** A text without any of these has no candidate. */
  readonly needs: RegExp;
  /** Characters of the candidate, from its start, that are of the kind; 0: it is something else. */
  length(candidate: string, text: string, at: number, options: PersonalOptions): number;
}

const NAMES = ["email", "iban", "card", "ipv6", "ipv4", "phone"] as const;

/** A kind of personal data. */
export type PersonalKind = (typeof NAMES)[number];

const PLACEHOLDER = "<(?:EMAIL|IBAN|CARD|IP|PHONE)>";

/** A pattern whose matches stand alone: not after `before`, not before `after`, not beside a placeholder. */
const alone = (before: string, shape: string, after: string): RegExp =>
  new RegExp(`(?<!${before}|${PLACEHOLDER})${shape}(?!${after}|${PLACEHOLDER})`, "gu");

const WORD = "[\\p{L}\\p{N}_]";

const DIGIT = /\d/;

/** In the order in which they are replaced. */
export const personalKinds: readonly Kind[] = [
  {
    name: "email",
    finds: "E-mail addresses.",
    placeholder: "<EMAIL>",
    pattern: alone(
      "[\\p{L}\\p{N}._%+'-]",
      "[\\p{L}\\p{N}_%+'-][\\p{L}\\p{N}._%+'-]{0,63}@" +
        "(?:[\\p{L}\\p{N}](?:[\\p{L}\\p{N}-]{0,61}[\\p{L}\\p{N}])?\\.){1,8}" +
        "\\p{L}{2,24}",
      "[\\p{L}\\p{N}@]|[_-][\\p{L}\\p{N}]",
    ),
    needs: /@/,
    length: (candidate) => (/\.\.|\.@/.test(candidate) || isFileName(candidate) ? 0 : candidate.length),
  },
  {
    name: "iban",
    finds: "International bank account numbers (ISO 13616) whose check digits hold.",
    placeholder: "<IBAN>",
    pattern: alone(WORD, "[A-Z]{2}\\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?", WORD),
    needs: /[A-Z]{2}\d{2} ?[A-Z0-9]{4}/,
    length: (candidate) => ibanLength(candidate),
  },
  {
    name: "card",
    finds: "Payment card numbers (ISO/IEC 7812): an issuer's digits and length, and Luhn's check digit.",
    placeholder: "<CARD>",
    pattern: alone(
      `${WORD}|[.,-]`,
      "(?:[2-6]\\d{12,18}|[2-6]\\d{3}(?: \\d{4}){2} \\d{1,4}(?: \\d{3})?|" +
        "[2-6]\\d{3}(?:-\\d{4}){2}-\\d{1,4}(?:-\\d{3})?|" +
        "3\\d{3} \\d{6} \\d{4,5}|3\\d{3}-\\d{6}-\\d{4,5})",
      `${WORD}|[.,-]\\d`,
    ),
    needs: /\d{4}[ -]?\d{4}/,
    length: (candidate) => cardLength(candidate),
  },
  {
    name: "ipv6",
    finds: "IPv6 addresses (RFC 4291).",
    placeholder: "<IP>",
    pattern: alone(`${WORD}|[:.]`, "[0-9A-Fa-f:]{3,39}", `${WORD}|[:]`),
    needs: /:[0-9A-Fa-f]{0,4}:/,
    length: (candidate, _, __, options) =>
      isAddress6(candidate, options.keepPrivateAddresses) ? candidate.length : 0,
  },
  {
    name: "ipv4",
    finds: "IPv4 addresses; not versions of more or fewer parts, or said to be versions.",
    placeholder: "<IP>",
    pattern: alone(
      `${WORD}|[.-]`,
      "\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}",
      `${WORD}|\\.${WORD}|-${WORD}`,
    ),
    needs: /\d\.\d{1,3}\.\d/,
    length: (candidate, text, at, options) => {
      if (!isAddress4(candidate) || isVersion(text, at)) return 0;
      return options.keepPrivateAddresses === true && isPrivate4(candidate) ? 0 : candidate.length;
    },
  },
  {
    name: "phone",
    finds: "Telephone numbers: international, or in the common shapes of some countries.",
    placeholder: "<PHONE>",
    pattern: alone(`${WORD}|[+.,#$€£-]|\\d[:=/]`, `(?:${phoneShapes})`, `${WORD}|[-.,]\\d|[%€]`),
    needs: DIGIT,
    length: (candidate) => phoneLength(candidate),
  },
  {
    name: "phone",
    finds: "Numbers of 7 to 15 digits that are said to be telephone numbers.",
    placeholder: "<PHONE>",
    pattern: labelledPhone,
    needs: phoneLabel,
    length: (candidate) => phoneLength(candidate),
  },
];

/** First characters of the parts of a value, the rest as stars: enough to see what was taken for it. */
export const maskedExample = (value: string): string =>
  value.replace(/[\p{L}\p{N}]+/gu, (part) => part.slice(0, 1) + "*".repeat(Math.min(8, part.length - 1)));

/** A text with placeholders, and what they stand for. */
export interface MaskedText {
  readonly text: string;
  readonly found: readonly { readonly kind: PersonalKind; readonly example: string }[];
}

/** Checks the names of kinds; throws a ConfigError for an unknown one. */
export const checkPersonal = ({ kinds = NAMES }: PersonalOptions): void => {
  for (const kind of kinds) {
    if (NAMES.includes(kind)) continue;
    throw new ConfigError(`there is no kind of personal data "${kind}"`, {
      field: "filter.personal.kinds",
      hint: `known: ${NAMES.join(", ")}`,
    });
  }
};

const replaceKind = (
  text: string,
  kind: Kind,
  options: PersonalOptions,
  found: { kind: PersonalKind; example: string }[],
): string => {
  let result = "";
  let done = 0;
  const pattern = new RegExp(kind.pattern);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const { index: at, 0: candidate } = match;
    const length = kind.length(candidate, text, at, options);
    if (length === 0) {
      // Another may begin inside of what this one took for its own.
      pattern.lastIndex = at + (text.codePointAt(at)! > 0xffff ? 2 : 1);
      continue;
    }
    found.push({ kind: kind.name as PersonalKind, example: maskedExample(candidate.slice(0, length)) });
    result += text.slice(done, at) + kind.placeholder;
    done = at + length;
    pattern.lastIndex = done;
  }
  return done === 0 ? text : result + text.slice(done);
};

/** Replaces personal data in `text` by placeholders and says what was found, masked. */
export const maskPersonal = (text: string, options: PersonalOptions = {}): MaskedText => {
  const found: { kind: PersonalKind; example: string }[] = [];
  const { kinds = NAMES } = options;
  const chosen = personalKinds.filter(({ name }) => kinds.includes(name as PersonalKind));
  let result = text;
  // A number can be told from its neighbour only once that is a placeholder: so again, until nothing is
  // found.
  for (let before = -1; found.length > before; ) {
    before = found.length;
    for (const kind of chosen)
      if (kind.needs.test(result)) result = replaceKind(result, kind, options, found);
  }
  return { text: result, found };
};
