// For node-oidc-provider: its own memory adapter forgets all but the last 1,000 entries, and with them the session; this one is as simple and keeps more.
const MOST = 200000;
const stored = new Map();
const byUid = new Map();
const ofGrant = new Map();
export class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) {
    const key = this.key(id);
    stored.set(key, payload);
    if (payload.uid) byUid.set(payload.uid, key);
    if (payload.grantId) ofGrant.set(payload.grantId, [...(ofGrant.get(payload.grantId) ?? []).slice(-20), key]);
    if (stored.size > MOST) {
      for (const old of stored.keys()) {
        if (!old.startsWith("Session:") && !old.startsWith("Grant:")) { stored.delete(old); break; }
      }
    }
  }
  async find(id) { return stored.get(this.key(id)); }
  async findByUid(uid) { return stored.get(byUid.get(uid)); }
  async findByUserCode() { return undefined; }
  async destroy(id) { stored.delete(this.key(id)); }
  async consume(id) { const found = stored.get(this.key(id)); if (found) found.consumed = Math.floor(Date.now() / 1000); }
  async revokeByGrantId(grantId) { for (const key of ofGrant.get(grantId) ?? []) stored.delete(key); ofGrant.delete(grantId); }
}
