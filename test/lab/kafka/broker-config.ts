/** Ports of one broker, all on 127.0.0.1. */
export interface BrokerPorts {
  plaintext: number
  saslPlaintext: number
  ssl: number
  /** TLS that demands a certificate of the client. */
  mutualTls: number
  controller: number
}

/** PEM files: the broker's certificate with its key, and the authority that clients are signed by. */
export interface BrokerTls {
  keyStore: string
  trustStore: string
}

export interface SaslUser {
  name: string
  password: string
}

/** `server.properties` of a single broker that is its own controller (KRaft), small, without replication. */
export function brokerProperties(dir: string, ports: BrokerPorts, tls: BrokerTls, user: SaslUser): string {
  const listeners = [
    `PLAINTEXT://127.0.0.1:${ports.plaintext}`,
    `SASL_PLAINTEXT://127.0.0.1:${ports.saslPlaintext}`,
    `SSL://127.0.0.1:${ports.ssl}`,
    `MTLS://127.0.0.1:${ports.mutualTls}`,
  ]
  const login = 'org.apache.kafka.common.security'
  return properties({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${ports.controller}`].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,MTLS:SSL,CONTROLLER:PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${user.name}="${user.password}";`,
    'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': tls.keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': tls.trustStore,
    'listener.name.mtls.ssl.client.auth': 'required',
    'log.dirs': `${dir}/data`,
    'num.partitions': '1',
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    // Groups form at once, and a member that was killed is missed soon.
    'group.initial.rebalance.delay.ms': '0',
    'broker.session.timeout.ms': '6000',
    'broker.heartbeat.interval.ms': '1000',
    'group.min.session.timeout.ms': '1000',
    'message.max.bytes': String(16 << 20),
    'log.retention.ms': '-1',
  })
}

/** The broker's own log: what it says of itself, and warnings, to standard output. */
export function loggingProperties(): string {
  return properties({
    'appender.out.type': 'Console',
    'appender.out.name': 'out',
    'appender.out.layout.type': 'PatternLayout',
    'appender.out.layout.pattern': '%d %p %c{1}: %m%n',
    'rootLogger.level': 'warn',
    'rootLogger.appenderRef.out.ref': 'out',
    'logger.server.name': 'kafka.server.KafkaRaftServer',
    'logger.server.level': 'info',
  })
}

/** Settings of a Java client for the plaintext listener. */
export const properties = (settings: Record<string, string>) =>
  `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`
