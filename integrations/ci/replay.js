// Replays the policies of a pull request, and those that it changes, against the requests that a Cinch has seen, and comments the
// difference. Node's own modules only, so that a pipeline needs nothing but this file.
//
// CINCH_URL, CINCH_TOKEN  the running Cinch, and its token: from secrets
// CINCH_POLICIES          the directory as the pull request has it; CINCH_BASE the same before it, or none
// CINCH_SINCE, CINCH_UNTIL  the window; all that is stored when absent
// CINCH_FAIL_ON           newly_denied (default): exit 1 when the change denies what was served; never
// CINCH_COMMENT           file that the comment is written to as well
// GITHUB_TOKEN, GITHUB_REPOSITORY, CINCH_PULL_REQUEST            where to comment on GitHub
// GITLAB_TOKEN, CI_PROJECT_ID, CI_MERGE_REQUEST_IID, CI_API_V4_URL  and on GitLab
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'

const MARK = '<!-- cinch replay -->'
/** Of each list: a comment holds 65,536 characters. */
const ROWS_MAX = 20
const CELL_LENGTH_MAX = 120
const COMMENTS_MAX = 1000
const FILES = /\.(ya?ml|json|cedar|cedarschema|rego)$/
const POLICIES = /\.(ya?ml|cedar|rego)$/

export function readPolicies(dir) {
  if (!dir || !existsSync(dir)) return []
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && FILES.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path: relative(dir, path), content: readFileSync(path, 'utf8') }))
}

/** What a change does to the requests of the window: calls that fall differently after it. */
export function difference(before, after) {
  const key = ({ source, destination, workload_port, service_port, method, path }) =>
    JSON.stringify([source, destination, service_port, workload_port, method, path])
  const added = (name) => {
    const known = new Set((before?.[name] ?? []).map(key))
    return after[name].filter((call) => !known.has(key(call)))
  }
  const lifted = (name) => {
    const left = new Set(after[name].map(key))
    return (before?.[name] ?? []).filter((call) => !left.has(key(call)))
  }
  return {
    newly_denied: added('newly_denied'),
    denied_no_more: lifted('newly_denied'),
    newly_allowed: added('newly_allowed'),
    uncertain: added('uncertain'),
  }
}

/** The comment. Names and paths come from telemetry: nothing in them is Markdown, a mention or a line of its own. */
export function comment(after, changes) {
  const { requests, window } = after
  const sum = (calls) => calls.reduce((total, call) => total + call.requests, 0).toLocaleString('en')
  const list = (title, calls) => {
    if (calls.length === 0) return []
    const rows = calls
      .slice(0, ROWS_MAX)
      .map(
        (call) =>
          `| ${[call.source, call.destination, call.method, call.path, call.requests.toLocaleString('en'), call.reason].map(code).join(' | ')} |`,
      )
    const more = calls.length > ROWS_MAX ? [`\n… and ${calls.length - ROWS_MAX} more`] : []
    return [
      `\n### ${title}\n`,
      '| caller | callee | method | path | requests | why |',
      '|---|---|---|---|---|---|',
      ...rows,
      ...more,
    ]
  }
  return [
    MARK,
    `**This change would deny ${sum(changes.newly_denied)} of ${requests.toLocaleString('en')} requests** (${code(window.since)} to ${code(window.until)}) that the policies before it allow.`,
    '',
    `With it, ${sum(after.newly_denied)} requests that were served would be denied in all, ${sum(after.newly_allowed)} that were denied would be served, ${sum(after.uncertain)} cannot be decided.`,
    ...list('Denied by this change', changes.newly_denied),
    ...list('Denied no more', changes.denied_no_more),
    ...list('Served by this change, and denied before', changes.newly_allowed),
    ...list('Cannot be decided any more', changes.uncertain),
    '',
  ].join('\n')
}

function code(text) {
  const safe = String(text)
    .slice(0, CELL_LENGTH_MAX)
    .replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replaceAll('`', "'")
    // GitHub ends a cell at a bar even within a code span.
    .replaceAll('|', '\\|')
  return safe.trim() === '' ? '-' : `\`${safe}\``
}

async function ask(url, { token = '', header = 'authorization', method = 'GET', body } = {}) {
  const headers = {
    'user-agent': 'cinch',
    ...(token ? { [header]: header === 'authorization' ? `Bearer ${token}` : token } : {}),
  }
  const answer = await fetch(url, {
    method,
    redirect: 'error',
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${new URL(url).pathname}: ${answer.status} ${text.slice(0, 500)}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** Writes the comment, over the one of an earlier run where there is one. */
async function post(list, one, access, text, edit) {
  const comments = []
  for (let page = 1; comments.length < COMMENTS_MAX; page++) {
    const some = await ask(`${list}?per_page=100&page=${page}`, access)
    comments.push(...some)
    if (some.length < 100) break
  }
  const own = comments.find(({ body }) => body?.startsWith(MARK))
  if (own) await ask(one(own.id), { ...access, method: edit, body: { body: text } })
  else await ask(list, { ...access, method: 'POST', body: { body: text } })
}

async function publish(environment, text) {
  const { CINCH_COMMENT: file, GITHUB_STEP_SUMMARY: summary, GITHUB_TOKEN: github, GITLAB_TOKEN: gitlab } = environment
  if (file) writeFileSync(file, text)
  if (summary) writeFileSync(summary, text, { flag: 'a' })
  if (github && environment.CINCH_PULL_REQUEST) {
    const root = `${environment.GITHUB_API_URL ?? 'https://api.github.com'}/repos/${environment.GITHUB_REPOSITORY}/issues`
    await post(
      `${root}/${environment.CINCH_PULL_REQUEST}/comments`,
      (id) => `${root}/comments/${id}`,
      { token: github },
      text,
      'PATCH',
    )
  }
  if (gitlab && environment.CI_MERGE_REQUEST_IID) {
    const root = `${environment.CI_API_V4_URL}/projects/${environment.CI_PROJECT_ID}/merge_requests/${environment.CI_MERGE_REQUEST_IID}/notes`
    await post(root, (id) => `${root}/${id}`, { token: gitlab, header: 'private-token' }, text, 'PUT')
  }
}

export async function run(environment, print) {
  const {
    CINCH_URL: url,
    CINCH_TOKEN: token,
    CINCH_POLICIES: dir,
    CINCH_SINCE: since,
    CINCH_UNTIL: until,
  } = environment
  if (!url || !token) throw new Error('CINCH_URL or CINCH_TOKEN is not set; pull requests of forks get no secrets')
  const window = { ...(since ? { since } : {}), ...(until ? { until } : {}) }
  const replay = async (files) =>
    await ask(new URL('/api/v1/policies/replay', url).href, { token, method: 'POST', body: { files, ...window } })
  const files = readPolicies(dir)
  if (!files.some(({ path }) => POLICIES.test(path))) throw new Error(`${dir} holds no policies`)
  const base = readPolicies(environment.CINCH_BASE)
  const before = base.some(({ path }) => POLICIES.test(path)) ? await replay(base) : undefined
  const after = await replay(files)
  const changes = difference(before, after)
  const text = comment(after, changes)
  await publish(environment, text)
  print(text)
  return changes.newly_denied.length > 0 && environment.CINCH_FAIL_ON !== 'never' ? 1 : 0
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = await run(process.env, (text) => process.stdout.write(`${text}\n`))
  } catch (error) {
    process.stderr.write(`cinch: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 2
  }
}
