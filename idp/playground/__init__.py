"""Development only: a small relying party and a mail inbox."""
