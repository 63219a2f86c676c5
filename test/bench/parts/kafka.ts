import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { format, median, type Part } from '../bench.ts'
import { fillKafka, type KafkaFigures, measureKafka } from '../kafka.ts'

/** How many lines a message holds: as agents send them that gather lines, and as those do that do not. */
const LINES_PER_MESSAGE = [50, 1]

/** Lines of a topic, compressed with gzip, until they are stored. Broker and collector share the processors. */
export const kafka: Part = {
  name: 'kafka',
  missing: () => (kafkaClassPath() ? undefined : 'the lab has no Kafka (npm run lab:setup)'),
  run: async ({ lines, turns, withStore }) => {
    const figures = []
    for (const perMessage of LINES_PER_MESSAGE) {
      const filled = await fillKafka(lines, perMessage)
      const found: KafkaFigures[] = []
      try {
        for (let turn = 0; turn < turns; turn++) {
          const figure = await withStore((store) => measureKafka(store, filled))
          found.push(figure)
          const { cinch, broker } = figure.processors
          console.log(
            `Kafka, ${perMessage} lines a message: ${format(figure.linesPerSecond)} lines/s (processors: Cinch ${format(cinch)}, broker ${format(broker)})`,
          )
        }
      } finally {
        await filled.close()
      }
      const middle = (of: (figure: KafkaFigures) => number) => median(found.map(of))
      const what = `Kafka, gzip, ${perMessage === 1 ? 'a line' : `${perMessage} lines`} a message, sender apart`
      figures.push(
        { what, value: middle((figure) => figure.linesPerSecond), unit: 'lines/s', asked: 'at least 100,000' },
        { what: '  processors of Cinch', value: middle(({ processors }) => processors.cinch), unit: '' },
        { what: '  processors of the broker', value: middle(({ processors }) => processors.broker), unit: '' },
      )
    }
    return figures
  },
}
