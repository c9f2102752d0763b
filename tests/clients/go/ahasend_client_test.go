package clients

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ahasend is a client with the retry rules that AhaSend documents for its own clients. Every POST carries
// an idempotency key. All attempts of one call carry the same key and the same bytes. Only network errors,
// 429 and 5xx are retried, here without a delay.
type ahasend struct {
	base, token string
}

const maxAttempts = 4

// errorKind is the class of an error answer, as the published client names it.
type errorKind string

const (
	validation     errorKind = "validation"
	authentication errorKind = "authentication"
	permission     errorKind = "permission"
	notFound       errorKind = "not_found"
	conflict       errorKind = "conflict"
	inProgress     errorKind = "idempotency_conflict" // a request with the same key is still running
	keyMismatch    errorKind = "idempotency"          // the key was used with another body
)

// randomKey returns a random UUIDv4, for use as an idempotency key.
func randomKey() string {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:])
	bytes[6], bytes[8] = bytes[6]&0x0f|0x40, bytes[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", bytes[:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:])
}

// errorKindOf classifies an error by its status. A 409 is inProgress when it has both
// `Idempotent-Replayed: false` and a positive `Retry-After`, and a lasting conflict otherwise.
func errorKindOf(a answer) errorKind {
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
			return inProgress
		}
		return conflict
	case 412, 422:
		return keyMismatch
	}
	return errorKind(fmt.Sprint("status ", a.status))
}

// attempt sends the request once.
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

// tryCall makes one call with this idempotency key, with up to maxAttempts attempts. It returns an error
// when no attempt was answered, or when the contract proxy reports a violation.
func (c ahasend) tryCall(key, method, path string, payload any) (answer, error) {
	var body []byte
	if payload != nil {
		var err error
		if body, err = json.Marshal(payload); err != nil {
			return answer{}, err
		}
	}
	var failures []string
	for len(failures) < maxAttempts {
		got, err := c.attempt(method, path, key, body)
		if err != nil {
			failures = append(failures, err.Error())
			continue
		}
		if got.status == 429 || got.status >= 500 {
			failures = append(failures, fmt.Sprintf("%d: %s", got.status, got.body))
			continue
		}
		if violations := got.header.Get("sl-violations"); violations != "" {
			return got, fmt.Errorf("%s %s: %d violates the contract: %s", method, path, got.status, violations)
		}
		return got, nil
	}
	return answer{}, fmt.Errorf("%s %s: %s", method, path, strings.Join(failures, "\n"))
}

// callWithKey makes one call with this idempotency key and fails the test when it is not answered.
func (c ahasend) callWithKey(t *testing.T, key, method, path string, payload any) answer {
	t.Helper()
	got, err := c.tryCall(key, method, path, payload)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// call makes one call, with a new idempotency key when it is a POST.
func (c ahasend) call(t *testing.T, method, path string, payload any) answer {
	t.Helper()
	key := ""
	if method == "POST" {
		key = randomKey()
	}
	return c.callWithKey(t, key, method, path, payload)
}

// expectError makes a call that must fail with this kind of error.
func (c ahasend) expectError(t *testing.T, wanted errorKind, method, path string, payload any) answer {
	t.Helper()
	got := c.call(t, method, path, payload)
	if errorKindOf(got) != wanted {
		t.Fatalf("%s %s: expected %s, got %d: %s", method, path, wanted, got.status, got.body)
	}
	expectMessage(t, got)
	return got
}

// as returns a client with another token.
func (c ahasend) as(token string) ahasend {
	return ahasend{c.base, token}
}

// create sends a POST that must be answered with 201, and decodes the answer.
func create[T any](t *testing.T, c ahasend, path string, payload any) T {
	t.Helper()
	return decode[T](t, c.call(t, "POST", path, payload).expect(t, 201))
}

// callOK makes a call that must be answered with 200, and decodes the answer.
func callOK[T any](t *testing.T, c ahasend, method, path string, payload any) T {
	t.Helper()
	return decode[T](t, c.call(t, method, path, payload).expect(t, 200))
}
