// The clients of the plane's services, all over one transport to the server that the page came from.
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AppLogsService } from "../../gen/flyteidl2/app/app_logs_service_pb";
import { AppService } from "../../gen/flyteidl2/app/app_service_pb";
import { AuthMetadataService } from "../../gen/flyteidl2/auth/auth_service_pb";
import { IdentityService } from "../../gen/flyteidl2/auth/identity_pb";
import { ControlService } from "../../gen/flyteapps_control/v1/control_pb";
import { ProjectService } from "../../gen/flyteidl2/project/project_service_pb";
import { authorize } from "./authorize";

const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: true,
  interceptors: [authorize],
});

export const apps = createClient(AppService, transport);
export const logs = createClient(AppLogsService, transport);
export const control = createClient(ControlService, transport);
export const projects = createClient(ProjectService, transport);
export const authMetadata = createClient(AuthMetadataService, transport);
export const identity = createClient(IdentityService, transport);

/** Return the error of a call for people: what happened, without the code's number. */
export function explain(error: unknown): string {
  const found = ConnectError.from(error);
  if (found.cause instanceof TypeError || error instanceof TypeError) return "The server can't be reached.";
  return found.rawMessage;
}
