/** What is told of a download: apart from the library that makes it, whose types no user has to check. */

/** How far a download is. */
export interface HubProgress {
  readonly file: string;
  /** Of all files, with those that the cache already had. */
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSec: number;
}

/** Hears how far a download is. */
export type OnProgress = (progress: HubProgress) => void;
