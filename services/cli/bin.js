#!/usr/bin/env node
// Starts the command line under the Node that this package brings. Plain JavaScript for any Node of the user's own: it
// cannot run TypeScript, and the size of the thread pool must be in the environment before a process starts.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'

const NODE_MAJOR_MIN = 24
/** Statements of the embedded engine hold a thread of the pool each; with Node's four, reads wait for inserts. */
const POOL_THREADS = '16'

const root = join(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), '../..')

/** The sources in the repository; their JavaScript in the installed package, for Node runs no TypeScript in node_modules. */
function entry() {
  const source = join(root, 'services/cli/main.ts')
  return existsSync(source) ? source : join(root, 'dist/services/cli/main.js')
}

/** The binary of npm's package `node`, or this process's own where npm was told to run no install scripts. */
function nodeBinary() {
  const own = bundledNode()
  if (own && existsSync(own)) return own
  return Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN ? process.execPath : undefined
}

function bundledNode() {
  try {
    const name = process.platform === 'win32' ? 'node.exe' : 'node'
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', name)
  } catch {
    return undefined // not installed: the caller's own Node may do
  }
}

const node = nodeBinary()
if (node) run(node)
else {
  console.error(`error engine_missing: Cinch needs Node ${NODE_MAJOR_MIN}, this is ${process.version}`)
  console.error(
    'next: let npm run the install script of its package "node" (npm approve-scripts node, then npm rebuild), or use a newer Node',
  )
  process.exitCode = 3
}

function run(binary) {
  const env = { ...process.env, UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? POOL_THREADS }
  const child = spawn(binary, [entry(), ...process.argv.slice(2)], { stdio: 'inherit', env })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the child as well; a second one would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    console.error(`error engine_missing: cannot start ${binary}: ${error.message}`)
    process.exitCode = 3
  })
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1)
    for (const name of signals) process.removeAllListeners(name)
    process.kill(process.pid, signal)
    // Where the signal does not end this process, the shell's convention says it.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 1000)
  })
}
