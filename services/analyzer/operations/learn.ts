import type { OperationTemplate, Pin, TemplateChange, TemplateForm } from '../../model/template.ts'
import { REQUESTS_MIN } from './cells.ts'
import { templateForm } from './coverage.ts'
import { type Form, formsOf } from './form.ts'
import { Matcher } from './matcher.ts'
import { Lexicon, rowsOf, type SeenPath } from './rows.ts'
import { sampleOf } from './sample.ts'
import { type Folded, type Forms, Tally } from './tally.ts'
import { learnSequences } from './tree.ts'
import { changesOf } from './versions.ts'

/** Paths that are learned from at once; of more, a sample decides and the rest is held against what it taught. */
const SAMPLE_MAX = 20_000
/** What no template says is sampled and learned from again, so often: rare operations are not in the first sample. */
const ROUNDS_MAX = 3
/** Templates of one callee. When they are so many, learning stops: what is new stays as its exact paths. */
export const TEMPLATES_MAX = 5_000
/** Forms without a template that are remembered for the sake of one template, lest it swallow them. */
const APART_MAX = 1_000
/** Paths kept of each template for the next time; those with the most requests first, for a name must not be pushed out by values. */
const KEPT_MAX = 300
/** Paths kept of all templates together, and as many of what has none yet. */
const KEPT_OF_ALL_MAX = 10_000

/** What is known of one callee's operations. Plain data: it can be stored and read again. */
export interface Learned {
  version: number
  templates: OperationTemplate[]
  changes: TemplateChange[]
  folded: Folded
  /** What is too rare for a template, or has no place as one, and would be swallowed by one if it were forgotten. */
  apart: TemplateForm[]
  /** Paths to learn from the next time, beside what is new. */
  kept: SeenPath[]
}

export interface LearnOptions {
  /** What was known before; its templates have the first places. */
  previous?: Learned
  pins?: readonly Pin[]
  templatesMax?: number
  sampleMax?: number
}

/** Learned templates, and how to find the one of a path. */
export interface Learning {
  learned: Learned
  /** The template of a path, by names before parameters. */
  templateOf(seen: Pick<SeenPath, 'method' | 'operation' | 'path'>): OperationTemplate | undefined
}

/**
 * Learns the operations of one callee from the distinct paths that were seen. Pure; the order of the paths says nothing.
 *
 * @param seen each path and method once
 */
export function learnTemplates(seen: readonly SeenPath[], options: LearnOptions = {}): Learning {
  const { previous, pins = [], templatesMax = TEMPLATES_MAX, sampleMax = SAMPLE_MAX } = options
  const known = new Set(previous?.templates.map(({ id }) => id))
  const teaching = seen.filter(teaches)
  const earlier = without(previous?.kept ?? [], seen)
  let sample = [...sampleOf(teaching, sampleMax), ...earlier]
  for (let round = 1; ; round++) {
    const forms = learnForms(sample, pins, known, templatesMax)
    const tally = new Tally(forms)
    for (const path of seen) tally.add(path, teaches(path))
    const more = round < ROUNDS_MAX && teaching.length > sampleMax ? without(tally.rare, sample) : []
    if (more.length === 0) return finish(tally, forms.apart.map(templateForm), sample, earlier, previous)
    sample = [...sample, ...sampleOf(more, sampleMax >> 1)]
  }
}

const keyOf = (seen: SeenPath) => `${seen.method} ${seen.operation ?? ''} ${seen.path}`
const teaches = (seen: SeenPath) => seen.requests > 0 && seen.named !== true

function learnForms(sample: readonly SeenPath[], pins: readonly Pin[], known: ReadonlySet<string>, max: number): Forms {
  const lexicon = new Lexicon()
  const all = formsOf(learnSequences(rowsOf(sample, lexicon), lexicon, pins), lexicon)
  const requests = new Map(all.map((form) => [form, form.rows.reduce((sum, row) => sum + row.requests, 0)]))
  const requestsOf = (form: Form) => requests.get(form) ?? 0
  const { often = [], rare = [] } = Object.groupBy(all, (form) =>
    requestsOf(form) >= REQUESTS_MIN || known.has(form.id) ? 'often' : 'rare',
  )
  const ranked = often.sort(
    (a, b) =>
      Number(known.has(b.id)) - Number(known.has(a.id)) || requestsOf(b) - requestsOf(a) || (a.id < b.id ? -1 : 1),
  )
  return setApart({ forms: ranked.slice(0, max).sort(byId), full: ranked.slice(max), rare, apart: [] })
}

const byId = (a: Form, b: Form) => (a.id < b.id ? -1 : 1)

/**
 * Finds the forms without a template that some template would swallow. One that would swallow too many to be remembered is
 * none: its paths stay as they are.
 */
function setApart({ forms, full, rare }: Forms): Forms {
  const matcher = new Matcher(forms)
  const swallowing = (form: Form) => form.rows.map(({ seen }) => matcher.match(seen)?.form).find((one) => one)
  const swallowed = Map.groupBy([...full, ...rare], swallowing)
  swallowed.delete(undefined)
  const crowded = new Set([...swallowed].flatMap(([form, own]) => (form && own.length > APART_MAX ? [form] : [])))
  if (crowded.size === 0) return { forms, full, rare, apart: [...swallowed.values()].flat().sort(byId) }
  return setApart({ forms: forms.filter((form) => !crowded.has(form)), full: [...full, ...crowded], rare, apart: [] })
}

function finish(
  tally: Tally,
  apart: TemplateForm[],
  sample: readonly SeenPath[],
  earlier: readonly SeenPath[],
  previous: Learned | undefined,
): Learning {
  const { matcher, folded } = tally
  const kept = keptOf(sample, tally)
  // A template that none of the new paths has covers what was kept of it.
  for (const path of earlier) tally.add(path, true)
  const { templates, changes, version } = changesOf(previous, tally.templates(), kept)
  const byId = new Map(templates.map((template) => [template.id, template]))
  return {
    learned: { version, templates, changes, folded, apart, kept },
    templateOf: (path) => byId.get(matcher.match(path)?.form.id ?? ''),
  }
}

function keptOf(sample: readonly SeenPath[], tally: Tally): SeenPath[] {
  const byForm = Map.groupBy(sample, (path) => tally.matcher.match(path)?.form)
  const [own, others] = [
    [...byForm].filter(([form]) => tally.isTemplate(form)),
    [...byForm].filter(([form]) => !tally.isTemplate(form)),
  ]
  const share = Math.min(KEPT_MAX, Math.ceil(KEPT_OF_ALL_MAX / Math.max(1, own.length)))
  return [
    ...own.flatMap(([, paths]) => sampleOf(paths, share)),
    ...sampleOf(
      others.flatMap(([, paths]) => paths),
      KEPT_OF_ALL_MAX,
    ),
  ]
}

/** Those of the paths that are not among others. */
function without(paths: readonly SeenPath[], others: readonly SeenPath[]): SeenPath[] {
  if (paths.length === 0) return []
  const keys = new Set(others.map(keyOf))
  return paths.filter((path) => !keys.has(keyOf(path)))
}
