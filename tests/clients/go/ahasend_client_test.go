package clients

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ahasend is a client that behaves on the wire as AhaSend's own one is described to: every POST
// carries a key, all attempts of one call carry the same key and bytes, and only network errors, 429
// and 5xx are tried again. It waits no time between two attempts.
type ahasend struct {
	base, token string
}

const attempts = 4

type kind string

const (
	validation         kind = "validation"
	authentication     kind = "authentication"
	permission         kind = "permission"
	notFound           kind = "not_found"
	conflict           kind = "conflict"
	idempotencyRunning kind = "idempotency_conflict"
	idempotency        kind = "idempotency"
)

func randomKey() string {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:])
	bytes[6], bytes[8] = bytes[6]&0x0f|0x40, bytes[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", bytes[:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:])
}

// kindOf sorts an error by its status; a conflict may be tried again only when both headers say so.
func kindOf(a answer) kind {
	switch a.status {
	case 400:
		return validation
	case 401:
		return authentication
	case 403:
		return permission
	case 404:
		return notFound
	case 409:
		running := strings.EqualFold(strings.TrimSpace(a.header.Get("Idempotent-Replayed")), "false")
		if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); running && err == nil && seconds > 0 {
			return idempotencyRunning
		}
		return conflict
	case 412, 422:
		return idempotency
	}
	return kind(fmt.Sprint("status ", a.status))
}

func (c ahasend) attempt(method, path, key string, body []byte) (answer, error) {
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	sent, err := http.NewRequest(method, c.base+path, content)
	if err != nil {
		return answer{}, err
	}
	sent.Header.Set("Accept", "application/json")
	sent.Header.Set("User-Agent", "tenantry-test")
	sent.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		sent.Header.Set("Idempotency-Key", key)
	}
	received, err := (&http.Client{Timeout: 30 * time.Second}).Do(sent)
	if err != nil {
		return answer{}, err
	}
	defer received.Body.Close()
	text, err := io.ReadAll(received.Body)
	return answer{received.StatusCode, received.Header, text}, err
}

// callWith makes one call with this key.
func (c ahasend) callWith(t *testing.T, key, method, path string, payload any) answer {
	t.Helper()
	var body []byte
	if payload != nil {
		var err error
		if body, err = json.Marshal(payload); err != nil {
			t.Fatal(err)
		}
	}
	var failures []error
	for range attempts {
		got, err := c.attempt(method, path, key, body)
		if err == nil && got.status != 429 && got.status < 500 {
			if violations := got.header.Get("sl-violations"); violations != "" {
				t.Fatalf("%s %s: %d leaves the contract: %s", method, path, got.status, violations)
			}
			return got
		}
		if err == nil {
			err = fmt.Errorf("%d: %s", got.status, got.body)
		}
		failures = append(failures, err)
	}
	t.Fatalf("%s %s: %v", method, path, errors.Join(failures...))
	return answer{}
}

func (c ahasend) call(t *testing.T, method, path string, payload any) answer {
	t.Helper()
	key := ""
	if method == "POST" {
		key = randomKey()
	}
	return c.callWith(t, key, method, path, payload)
}

// fails makes a call that must be refused in this way.
func (c ahasend) fails(t *testing.T, wanted kind, method, path string, payload any) answer {
	t.Helper()
	got := c.call(t, method, path, payload)
	if kindOf(got) != wanted {
		t.Fatalf("%s %s: expected %s, got %d: %s", method, path, wanted, got.status, got.body)
	}
	expectMessage(t, got)
	return got
}

func (c ahasend) as(token string) ahasend {
	return ahasend{c.base, token}
}

// made makes a call that creates something, and reads the answer.
func made[T any](t *testing.T, c ahasend, path string, payload any) T {
	t.Helper()
	return decode[T](t, c.call(t, "POST", path, payload).expect(t, 201))
}

// shown makes a call that answers 200, and reads the answer.
func shown[T any](t *testing.T, c ahasend, method, path string, payload any) T {
	t.Helper()
	return decode[T](t, c.call(t, method, path, payload).expect(t, 200))
}
