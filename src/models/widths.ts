/** What a family's config can say of how wide its layers are inside. */

/** Heads whose number does not follow from the hidden width. */
export interface HeadFields {
  /** The field that counts query heads. */
  readonly heads: string;
  /** The field that counts heads of keys and values, where several query heads share one. */
  readonly shared?: string;
  /** The field of a head's width. */
  readonly width: string;
  /** The end of the path of a table [buckets, heads] that all self-attention of a stack reads. */
  readonly table?: string;
}

/** The fields of a config that a cut of neurons or heads changes: they count those of every layer alike. */
export interface Widths {
  /** The beginning of a stack's paths ("" where there is one stack) -> the field of its MLPs' neurons. */
  readonly neurons: Readonly<Record<string, string>>;
  /** The field of the hidden states' width, where nothing else follows from it: heads say their own. */
  readonly hidden?: string;
  /** Absent where the heads' widths always add up to the hidden width. */
  readonly heads?: HeadFields;
}
