// Calls with credentials: a token that is refused is renewed, once, and the call is repeated.
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { credentials } from "./credentials";

function isRefusal(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unauthenticated;
}

export const authorize: Interceptor = (next) => async (request) => {
  const sent = await credentials.add(request.header);
  try {
    const answer = await next(request);
    return answer.stream ? { ...answer, message: watched(answer.message, sent) } : answer;
  } catch (error) {
    if (!isRefusal(error) || !(await credentials.refused(sent))) throw error;
    await credentials.add(request.header);
    return next(request);
  }
};

/** Renew the token where a stream is refused; its caller opens it again, as after each end. */
async function* watched<T>(messages: AsyncIterable<T>, sent: string | undefined): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    if (isRefusal(error) && (await credentials.refused(sent))) {
      throw new ConnectError("The token was renewed.", Code.Unavailable);
    }
    throw error;
  }
}
