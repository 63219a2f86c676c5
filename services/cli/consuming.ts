import type { Cinch } from '../api/cinch.ts'
import type { KafkaConfig } from '../collector/receivers/kafka/config.ts'
import type { KafkaReceiver } from '../collector/receivers/kafka/receiver.ts'
import type { Arguments, Options } from './options.ts'

/** Options of `cinch serve` for topics of Kafka. */
export const KAFKA_OPTIONS: Options = {
  kafka: {
    type: 'string',
    multiple: true,
    value: 'FILE',
    help: 'read the topics of a Kafka cluster as this YAML file says; may be repeated',
  },
}

/**
 * What `--kafka` asks for. kafkajs is loaded only where it is asked for.
 * @throws CinchError `bad_file`, `bad_option`
 */
export async function kafkaOptions(args: Arguments): Promise<KafkaConfig[]> {
  const paths = args.list('kafka')
  if (paths.length === 0) return []
  const { readKafkaConfig } = await import('../collector/receivers/kafka/config.ts')
  return paths.map((path) => readKafkaConfig(path))
}

/**
 * Starts a receiver for each cluster.
 * @returns ends them
 * @throws CinchError `kafka_refused`
 */
export async function startConsuming(
  cinch: Pick<Cinch, 'kafka'>,
  configs: KafkaConfig[],
  note: (text: string) => void,
): Promise<() => Promise<void>> {
  const receivers: KafkaReceiver[] = []
  const stop = async () => {
    await Promise.all(receivers.map((receiver) => receiver.stop()))
  }
  try {
    for (const config of configs) receivers.push(await cinch.kafka(config, note))
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}
