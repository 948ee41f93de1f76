// For node-oidc-provider: an adapter on PostgreSQL. One table, one row per model and id; every statement is prepared once per
// connection, every method is one statement. Rows past their end are not found; deleting them is not measured.
import pg from "pg";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS stored (
    model text NOT NULL, id text NOT NULL, payload jsonb NOT NULL, grant_id text, uid text, user_code text,
    consumed_at timestamptz, expires_at timestamptz, PRIMARY KEY (model, id));
  CREATE INDEX IF NOT EXISTS stored_grant ON stored (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS stored_uid ON stored (model, uid) WHERE uid IS NOT NULL;
  CREATE INDEX IF NOT EXISTS stored_user_code ON stored (model, user_code) WHERE user_code IS NOT NULL;`;
const LIVE = "(expires_at IS NULL OR expires_at > now())";
const FOUND = "SELECT payload, extract(epoch FROM consumed_at)::int AS consumed FROM stored WHERE model = $1 AND";
const STATEMENTS = {
  upsert: `INSERT INTO stored (model, id, payload, grant_id, uid, user_code, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 second')
    ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid,
      user_code = excluded.user_code, expires_at = excluded.expires_at`,
  find: `${FOUND} id = $2 AND ${LIVE}`,
  findByUid: `${FOUND} uid = $2 AND ${LIVE}`,
  findByUserCode: `${FOUND} user_code = $2 AND ${LIVE}`,
  consume: "UPDATE stored SET consumed_at = now() WHERE model = $1 AND id = $2",
  destroy: "DELETE FROM stored WHERE model = $1 AND id = $2",
  revokeByGrantId: "DELETE FROM stored WHERE grant_id = $1",
};

// An adapter class over a pool of `connections`, with its table made.
export async function onPostgreSQL(url, connections) {
  const pool = new pg.Pool({ connectionString: url, max: connections, min: connections, idleTimeoutMillis: 0 });
  await pool.query(SCHEMA);
  const run = (name, values) => pool.query({ name, text: STATEMENTS[name], values });
  const payload = ({ rows: [row] }) => row && (row.consumed === null ? row.payload : { ...row.payload, consumed: row.consumed });
  return class PostgreSQL {
    constructor(model) { this.model = model; }
    async upsert(id, data, seconds) {
      await run("upsert", [this.model, id, JSON.stringify(data), data.grantId, data.uid, data.userCode, seconds]);
    }
    async find(id) { return payload(await run("find", [this.model, id])); }
    async findByUid(uid) { return payload(await run("findByUid", [this.model, uid])); }
    async findByUserCode(code) { return payload(await run("findByUserCode", [this.model, code])); }
    async consume(id) { await run("consume", [this.model, id]); }
    async destroy(id) { await run("destroy", [this.model, id]); }
    async revokeByGrantId(grantId) { await run("revokeByGrantId", [grantId]); }
  };
}
