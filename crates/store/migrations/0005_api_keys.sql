-- From where a token may be used: networks as a JSON list of text, empty for everywhere. What its scopes column
-- holds is, from here on, an object of scopes and the times they were granted at; lists of scopes, from before,
-- are still read.

ALTER TABLE access_tokens ADD COLUMN ip_allow_list {{text}} NOT NULL DEFAULT '[]';
