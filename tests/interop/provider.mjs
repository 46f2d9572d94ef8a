// A certified OIDC server for tests/interop/logins.py: node provider.mjs PORT REDIRECT_URI
import { Provider } from "oidc-provider";

const [port, redirect] = [Number(process.argv[2]), process.argv[3]];
const audience = "https://plane.example.org";
const deviceCode = "urn:ietf:params:oauth:grant-type:device_code";

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "cli",
      token_endpoint_auth_method: "none",
      application_type: "native",
      redirect_uris: [redirect],
      grant_types: ["authorization_code", "refresh_token", deviceCode],
      response_types: ["code"],
    },
    {
      client_id: "robot",
      client_secret: "a-secret+of/a robot, with signs",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ["openid", "offline_access", "all"],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "all",
        audience,
        accessTokenTTL: 3600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  ttl: { AccessToken: 3600, ClientCredentials: 3600, DeviceCode: 600, Grant: 3600, IdToken: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
  pkce: { required: () => true },
});
provider.listen(port, "127.0.0.1", () => console.log("listening"));
