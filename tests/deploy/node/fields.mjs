// SPDX-License-Identifier: MIT
//
// The fields of RabbitMQ's custom resources that Warren's manifests use, as the operators' definitions
// have them (cluster operator 2, messaging topology operator 1). "!" behind a name: it must be there.
const cluster = { name: 'string', namespace: 'string' };
const reference = { name: 'string' };
const policy = {
  'rabbitmqClusterReference!': cluster, vhost: 'string', 'name!': 'string', 'pattern!': 'string',
  applyTo: 'string', priority: 'number', 'definition!': 'any',
};

export const rabbitmq = {
  RabbitmqCluster: {
    replicas: 'number',
    image: 'string',
    persistence: { storage: 'string', storageClassName: 'string' },
    resources: { requests: { cpu: 'string', memory: 'string' }, limits: { cpu: 'string', memory: 'string' } },
    tls: { secretName: 'string', caSecretName: 'string', disableNonTLSListeners: 'boolean' },
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: 'any' }, 'topologyKey!': 'string' },
        ],
      },
    },
    rabbitmq: { additionalConfig: 'string', advancedConfig: 'string', additionalPlugins: ['string'] },
  },
  User: {
    'rabbitmqClusterReference!': cluster, importCredentialsSecret: reference, tags: ['string'],
    limits: { connections: 'number', channels: 'number' },
  },
  Vhost: {
    'rabbitmqClusterReference!': cluster, 'name!': 'string', tracing: 'boolean', tags: ['string'],
    defaultQueueType: 'string',
  },
  Permission: {
    'rabbitmqClusterReference!': cluster, 'vhost!': 'string', user: 'string', userReference: reference,
    'permissions!': { configure: 'string', write: 'string', read: 'string' },
  },
  TopicPermission: {
    'rabbitmqClusterReference!': cluster, 'vhost!': 'string', user: 'string', userReference: reference,
    'permissions!': { 'exchange!': 'string', write: 'string', read: 'string' },
  },
  Policy: policy,
  OperatorPolicy: policy,
};
