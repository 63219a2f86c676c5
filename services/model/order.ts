/** Compares texts by their code units: the same order in every process and locale. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
