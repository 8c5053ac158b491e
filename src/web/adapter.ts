/** The WebGPU adapter that a page gets. */

export interface Adapter {
  /** Vendor and architecture, as the browser tells them. */
  readonly name: string;
  /** Optional features, such as "shader-f16". */
  readonly features: readonly string[];
}

interface Gpu {
  requestAdapter(): Promise<{
    readonly info?: Readonly<Record<"vendor" | "architecture" | "device" | "description", string>>;
    readonly features: Iterable<string>;
  } | null>;
}

/** The page's adapter; null where it has none. */
export const adapterOf = async (): Promise<Adapter | null> => {
  const { gpu } = (globalThis as { navigator?: { gpu?: Gpu } }).navigator ?? {};
  const adapter = await gpu?.requestAdapter();
  if (adapter == null) return null;
  const { vendor = "", architecture = "", device = "", description = "" } = adapter.info ?? {};
  const name = [...new Set([vendor, architecture, device, description])].filter((s) => s !== "").join(" ");
  return { name: name === "" ? "unknown adapter" : name, features: [...adapter.features] };
};
