import type { TopicConfig } from '../../../services/collector/receivers/kafka/config.ts'

/** A topic as most tests configure it. */
export const linesOf = (topic: string, cluster: string): TopicConfig => ({
  topic,
  source: 'istio-text',
  framing: 'lines',
  sender: 'kafka',
  cluster,
})
