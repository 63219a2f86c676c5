import type { Store } from '../../services/store/store.ts'

/** One number of the report. */
export interface Figure {
  what: string
  value: number
  unit: string
  asked?: string
  /** Where what is asked is not reached: where the time goes, and what would reach it. */
  note?: string | undefined
}

/** What a part is given to measure with. */
export interface Bench {
  /** Scratch, removed at the end. */
  dir: string
  /** Small enough to show that it runs; its figures mean little. */
  quick: boolean
  /** Access log lines that are loaded at once. */
  lines: number
  /** How often each way is measured; its figure is the median. */
  turns: number
  /** Runs the work on a store of its own that is empty and up to date. */
  withStore<T>(work: (store: Store) => Promise<T>): Promise<T>
}

/** A part of the benchmarks, chosen with `--only`. */
export interface Part {
  name: string
  /** What the machine lacks for it, and how to get it; undefined when nothing. */
  missing?(): string | undefined
  run(bench: Bench): Promise<Figure[]>
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
}
