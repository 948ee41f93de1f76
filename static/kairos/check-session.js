// OpenID Connect Session Management 1.0, 3.2: "CLIENT_ID SESSION_STATE" in, "unchanged", "changed" or "error" out.
(() => {
  const cookie = document.currentScript.dataset.cookie;

  const browserState = () => {
    const found = document.cookie.split("; ").find((part) => part.startsWith(`${cookie}=`));
    return found ? found.slice(cookie.length + 1) : "";
  };

  const hash = async (text) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  addEventListener("message", async (event) => {
    if (!event.source || typeof event.data !== "string") return;
    const [clientId, sessionState, ...rest] = event.data.split(" ");
    const salt = sessionState ? sessionState.split(".")[1] : "";
    if (!clientId || !salt || rest.length) {
      event.source.postMessage("error", event.origin);
      return;
    }
    const expected = `${await hash(`${clientId} ${event.origin} ${browserState()} ${salt}`)}.${salt}`;
    event.source.postMessage(sessionState === expected ? "unchanged" : "changed", event.origin);
  });
})();
