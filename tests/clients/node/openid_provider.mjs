// A real OpenID provider (the certified package oidc-provider), with its own pages for signing in and for consent.
// Started by tests/identity. Whoever signs in there is who they say; `accounts` says what is known of them.
// POST /rotate gives it other keys; POST /groups {account: [...]} other groups.
import { createServer } from 'node:http'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import Provider from 'oidc-provider'

const { port, redirects, idTokenClaims, algorithm } = JSON.parse(process.argv[2])
const accounts = {
  maria: { email: 'maria@example.org', email_verified: true, preferred_username: 'maria', groups: ['engineers'] },
  otto: { email: 'otto@elsewhere.example', email_verified: true, preferred_username: 'otto', groups: [] },
  nora: { email: 'maria@example.org', email_verified: false, preferred_username: 'nora', groups: ['engineers'] },
}
const issuer = `http://127.0.0.1:${port}`

function key() {
  const [kind, options] = { RS256: ['rsa', { modulusLength: 2048 }], ES256: ['ec', { namedCurve: 'P-256' }], EdDSA: ['ed25519', {}] }[algorithm]
  return { ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: algorithm }
}

const client = (id, more) => ({
  client_id: id, redirect_uris: redirects, grant_types: ['authorization_code'], response_types: ['code'],
  id_token_signed_response_alg: algorithm, ...more,
})

function make(keys) {
  const provider = new Provider(issuer, {
    clients: [
      client('basic', { client_secret: 'a secret: with/odd+characters', token_endpoint_auth_method: 'client_secret_basic' }),
      client('post', { client_secret: 'another secret of the client', token_endpoint_auth_method: 'client_secret_post' }),
      client('public', { token_endpoint_auth_method: 'none' }),
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    conformIdTokenClaims: !idTokenClaims,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
    pkce: { required: () => true },
    jwks: { keys },
    cookies: { keys: ['a key for cookies'] },
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: `sub-of-${id}`, ...accounts[id] }) }),
  })
  provider.on('server_error', (_, error) => console.error(error))
  return provider.callback()
}

let keys = [key()]
let answer = make(keys)
createServer(async (request, response) => {
  if (request.method !== 'POST' || !['/rotate', '/groups'].includes(request.url)) return answer(request, response)
  let body = ''
  for await (const piece of request) body += piece
  if (request.url === '/rotate') answer = make((keys = [key()]))
  else for (const [name, groups] of Object.entries(JSON.parse(body))) accounts[name].groups = groups
  response.end('done')
}).listen(port, '127.0.0.1', () => console.log('ready'))
