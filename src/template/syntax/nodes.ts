/** The syntax tree of a template. */
import type { Value } from "../values/values.ts";

/** The arguments of a call. */
export interface Arguments {
  readonly args: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** `*rest` and `**more` */
  readonly rest?: Expression;
  readonly more?: Expression;
}

/** Operators between two values. */
export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**" | "and" | "or";
/** Operators that compare. */
export type CompareOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

/** What has a value. */
export type Expression =
  | { readonly kind: "const"; readonly value: Value }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "reference"; readonly name: string; readonly attribute: string }
  | { readonly kind: "tuple" | "list"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: "attribute"; readonly of: Expression; readonly name: string }
  | { readonly kind: "item"; readonly of: Expression; readonly key: Expression }
  | {
      readonly kind: "slice";
      readonly of: Expression;
      readonly bounds: readonly (Expression | undefined)[];
    }
  | { readonly kind: "call"; readonly of: Expression; readonly given: Arguments }
  | {
      readonly kind: "filter" | "test";
      readonly name: string;
      readonly of: Expression;
      readonly given: Arguments;
    }
  | { readonly kind: "not" | "negative" | "positive"; readonly of: Expression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "concat"; readonly parts: readonly Expression[] }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly (readonly [CompareOperator, Expression])[];
    }
  | {
      readonly kind: "choice";
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression | undefined;
    };

/** An expression of one kind. */
export type ExpressionOf<K extends Expression["kind"]> = Extract<Expression, { readonly kind: K }>;

/** A macro's parameter, and what it is where none is given. */
export interface Parameter {
  readonly name: string;
  readonly fallback: Expression | undefined;
}

/** What a macro and the body of a call block have. */
export interface MacroParts {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: Body;
  /** All names of the body: `varargs` and `kwargs` are taken where they are among them. */
  readonly names: ReadonlySet<string>;
}

/** Statements one after the other. */
export type Body = readonly Statement[];

/** What is run. */
export type Statement =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly value: Expression }
  | {
      readonly kind: "if";
      readonly branches: readonly (readonly [Expression, Body])[];
      readonly otherwise: Body;
    }
  | {
      readonly kind: "for";
      readonly target: Expression;
      readonly items: Expression;
      readonly test: Expression | undefined;
      readonly recursive: boolean;
      readonly body: Body;
      readonly otherwise: Body;
    }
  | { readonly kind: "set"; readonly target: Expression; readonly value: Expression }
  | {
      readonly kind: "capture";
      readonly target: Expression;
      /** Filters over the captured text, which the name "" stands for. */
      readonly filter: Expression | undefined;
      readonly body: Body;
    }
  | { readonly kind: "macro"; readonly macro: MacroParts }
  | { readonly kind: "call"; readonly call: ExpressionOf<"call">; readonly caller: MacroParts }
  | { readonly kind: "filter"; readonly filter: Expression; readonly body: Body }
  | {
      readonly kind: "with";
      readonly targets: readonly (readonly [target: Expression, value: Expression])[];
      readonly body: Body;
    }
  /** What the assistant says. */
  | { readonly kind: "generation"; readonly body: Body }
  | { readonly kind: "break" | "continue" };

/** A statement of one kind. */
export type StatementOf<K extends Statement["kind"]> = Extract<Statement, { readonly kind: K }>;
