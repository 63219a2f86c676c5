import { cp, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { ReadBack } from '../../../services/api/lifecycle/lifecycle.ts'
import { readFiles } from '../../../services/cli/policy-files.ts'
import type { DraftLife } from '../../../services/model/lifecycle.ts'
import type { Ran } from '../../support/cli.ts'
import { applicationOf } from './crossing.ts'
import { ownerOf } from './objects.ts'
import type { Operator } from './operator.ts'
import { workloadOf } from './world.ts'

export const WHY = ['--why', 'as agreed']
const OF_TARGET = ['--target', 'envoy-rbac']

/** The steps of people and of the cluster between a draft of `envoy-rbac` and what Envoys run, by Cinch's commands. */
export interface Review {
  /** What was delivered last, and where its files are. */
  readonly repository: string
  files: PolicyFile[]
  policies(...args: string[]): Promise<Ran>
  /** All of them, withdrawn ones too. */
  drafts(): Promise<DraftLife[]>
  /** Each newest draft takes a step. */
  each(step: string, callees: readonly string[]): Promise<void>
  /** By the owner of each, after they were submitted. */
  approve(callees: readonly string[]): Promise<void>
  /** Writes what is due into the repository. */
  deliver(): Promise<void>
  /** Files that an Envoy says it runs are deployed; others of before are no more where `anew`. */
  deployed(files: readonly PolicyFile[], anew?: boolean): Promise<void>
  /** Tells Cinch what is deployed. @returns what that confirmed; nothing else is there */
  readBack(): Promise<string[]>
}

export function reviewOf(operator: Operator, dir: string): Review {
  const repository = join(dir, 'repository')
  const cluster = join(dir, 'deployed')
  const policies = async (...args: string[]) => await operator.cinch('policies', ...args, ...OF_TARGET)
  const each = async (step: string, callees: readonly string[]) => {
    for (const callee of callees) await policies(step, callee, ...WHY)
  }
  const review: Review = {
    repository,
    files: [],
    policies,
    drafts: async () =>
      (await operator.cinch('policies', 'drafts', '--all', '--json')).json<{ drafts: DraftLife[] }>().drafts,
    each,
    approve: async (callees) => {
      for (const callee of callees) await policies('approve', callee, '--as', teamOf(callee), ...WHY)
    },
    deliver: async () => {
      await policies('deliver', '--out', repository)
      review.files = readFiles(repository)
    },
    deployed: async (files, anew = false) => {
      if (anew) await rm(cluster, { recursive: true, force: true })
      for (const { path } of files) {
        await mkdir(dirname(join(cluster, path)), { recursive: true })
        await cp(join(repository, path), join(cluster, path))
      }
    },
    readBack: async () => {
      const read = (await policies('read-back', cluster, ...WHY, '--json')).json<ReadBack>()
      const others = { partial: read.partial, refused: read.refused, foreign: read.foreign }
      expect(others).toEqual({ partial: [], refused: [], foreign: [] })
      return read.confirmed.map(({ callee, stage }) => `${callee} ${stage}`)
    },
  }
  return review
}

/** As drafts are called. */
export const calleeOf = (id: string) => `${workloadOf(id).cluster}/${applicationOf(id)}`
export const teamOf = (callee: string) => ownerOf(callee.split('/').at(-2) ?? '')
