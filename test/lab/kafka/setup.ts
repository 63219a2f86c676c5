import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import pinned from './jars.json' with { type: 'json' }

/** The Kafka of the lab: the jars that its broker needs, each pinned by version and SHA-256 (`jars.json`). Apache-2.0. */
export const KAFKA_VERSION = pinned.kafka
/** The plug-in that copies the jars. What it copies is verified here, so it need not be trusted. */
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
const JAVA_VERSION_MIN = 17
const DOWNLOAD_DEADLINE_MS = 300_000

interface Jar {
  artifact: string
  sha256: string
}

/** Where the jars are kept: outside of the repository, beside the lab's Envoy, one folder per version. */
function cachedFolder(): string {
  const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  return join(XDG_CACHE_HOME, 'cinch', 'lab', `kafka-${KAFKA_VERSION}`)
}

function fileOf({ artifact }: Jar): string {
  const [, name, version] = artifact.split(':')
  return `${name}-${version}.jar`
}

const isPinned = (folder: string, jar: Jar) => {
  const path = join(folder, fileOf(jar))
  return existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === jar.sha256
}

let verified: string | undefined

/**
 * The class path of the lab's Kafka when all its jars are the pinned ones and Java runs, else undefined (run
 * `npm run lab:setup`). Verified once per process.
 */
export function kafkaClassPath(): string | undefined {
  const folder = cachedFolder()
  if (!verified && javaVersion() >= JAVA_VERSION_MIN && pinned.jars.every((jar) => isPinned(folder, jar)))
    verified = join(folder, '*')
  return verified
}

/** The major version of `java`, 0 without one. */
function javaVersion(): number {
  const { stderr, status } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return status === 0 ? Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) : 0
}

/**
 * Fetches the pinned jars with Maven, verifies them, and puts them into the cache.
 * @returns the class path
 * @throws Error that says what to do: no Java, no Maven, no network, a digest that differs
 */
export function setUpKafka(): string {
  if (javaVersion() < JAVA_VERSION_MIN)
    throw new Error(`Kafka needs Java ${JAVA_VERSION_MIN} or later: install openjdk-17-jre-headless, then run again`)
  const present = kafkaClassPath()
  if (present) return present
  const target = cachedFolder()
  mkdirSync(join(target, '..'), { recursive: true, mode: 0o700 })
  const scratch = mkdtempSync(join(tmpdir(), 'cinch-kafka-'))
  const partial = `${target}.${process.pid}`
  try {
    writeFileSync(join(scratch, 'pom.xml'), projectFor(pinned.jars))
    download(scratch, partial)
    const wrong = pinned.jars.find((jar) => !isPinned(partial, jar))
    if (wrong)
      throw new Error(
        `${wrong.artifact} is missing or is not the pinned file: do not use it; report it, or pin a new version`,
      )
    rmSync(target, { recursive: true, force: true })
    renameSync(partial, target)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    rmSync(partial, { recursive: true, force: true })
  }
  verified = join(target, '*')
  return verified
}

function download(scratch: string, into: string): void {
  const repository = `-Dmaven.repo.local=${join(scratch, 'repository')}`
  const args = [
    '--quiet',
    '--batch-mode',
    '-f',
    join(scratch, 'pom.xml'),
    repository,
    COPY,
    `-DoutputDirectory=${into}`,
  ]
  const done = spawnSync('mvn', args, { encoding: 'utf8', timeout: DOWNLOAD_DEADLINE_MS })
  if (done.error)
    throw new Error(`cannot run mvn (${done.error.message}); install Maven (package maven), then run again`)
  if (done.status !== 0) throw new Error(`mvn ended with ${done.status}\n${`${done.stdout}${done.stderr}`.trim()}`)
}

/** A project that needs exactly these jars: what they would bring along themselves is excluded. */
function projectFor(jars: Jar[]): string {
  const dependencies = jars.map(({ artifact }) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
    <groupId>cinch</groupId><artifactId>lab-kafka</artifactId><version>1</version><packaging>pom</packaging>
    <dependencies>${dependencies.join('\n')}</dependencies></project>`
}
