import { existsSync } from 'node:fs'
import { alarms, judgeRecording, quality } from '../../analyzer/risk/behaviour.ts'
import { SHARED_DATA } from '../../requirements.ts'
import type { Figure, Part } from '../bench.ts'
import { activityCost } from '../users.ts'

/** How well strangers are told from users on the labelled recording, and how far false alarms are from what was announced. */
export const risk: Part = {
  name: 'risk',
  missing: () => (existsSync(SHARED_DATA) ? undefined : 'the shared telemetry is not there'),
  run: async (bench) => {
    const recording = judgeRecording()
    const ranked = (reading: 'whole' | 'added') =>
      quality(
        recording.blocks.map(({ judged, isStranger }) => ({ score: judged[reading].nats, isStranger })),
        0.01,
      )
    const { averagePrecision, truePositiveRate, strangers } = ranked('whole')
    const budgets = [0.05, 0.01, 0.001].flatMap((budget): Figure[] => {
      const { false: wrong, found } = alarms(recording, budget)
      return [
        {
          what: `  false alarms where ${100 * budget} % are announced`,
          value: 100 * wrong,
          unit: '%',
          note: `calibration error: a factor of ${(wrong / budget).toFixed(2)}; ${(100 * found).toFixed(0)} % of the strangers are above it`,
        },
      ]
    })
    const lines = Math.min(bench.lines, 200_000)
    return [
      {
        what: `behaviour, ${recording.blocks.length} labelled blocks, ${strangers} of strangers: average precision`,
        value: averagePrecision,
        unit: '',
        asked: 'at least 0.72',
      },
      { what: '  strangers found at 1 % false alarms', value: truePositiveRate, unit: '', asked: 'at least 0.45' },
      { what: '  average precision by what was added only', value: ranked('added').averagePrecision, unit: '' },
      ...budgets,
      {
        what: 'keeping the activity of users: processor time a line without a user',
        value: await activityCost(bench, lines, false),
        unit: 'us',
        asked: 'at most 1',
      },
      {
        what: '  a line of a user, each of another',
        value: await activityCost(bench, lines, true),
        unit: 'us',
        asked: 'at most 1',
      },
    ]
  },
}
