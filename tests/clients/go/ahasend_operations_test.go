package clients

import (
	"bufio"
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The contract proxy (Stoplight Prism) and the published description of the AhaSend API.
const (
	prism    = "../prism/node_modules/@stoplight/prism-cli/dist/index.js"
	contract = "../../contracts/facts/ahasend-v2.openapi.json"
)

type grant struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	APIKeyID  string    `json:"api_key_id"`
	Scope     string    `json:"scope"`
	DomainID  *string   `json:"domain_id"`
}

type apiKey struct {
	Object      string     `json:"object"`
	ID          string     `json:"id"`
	AccountID   string     `json:"account_id"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	Label       string     `json:"label"`
	PublicKey   string     `json:"public_key"`
	SecretKey   *string    `json:"secret_key"`
	Scopes      []grant    `json:"scopes"`
	IPAllowList []string   `json:"ip_allow_list"`
}

// scopes returns the names of the key's scopes, sorted.
func (k apiKey) scopes() []string {
	var names []string
	for _, scope := range k.Scopes {
		names = append(names, scope.Scope)
	}
	sort.Strings(names)
	return names
}

type subAccount struct {
	Object          string     `json:"object"`
	ID              string     `json:"id"`
	ParentAccountID string     `json:"parent_account_id"`
	CreatedAt       time.Time  `json:"created_at"`
	Name            string     `json:"name"`
	Website         string     `json:"website"`
	Status          string     `json:"status"`
	MonthlyCredit   int64      `json:"monthly_credit"`
	DomainCount     int64      `json:"domain_count"`
	MemberCount     int64      `json:"member_count"`
	LastActivityAt  *time.Time `json:"last_activity_at"`
}

type page[T any] struct {
	Object     string `json:"object"`
	Data       []T    `json:"data"`
	Pagination struct {
		HasMore        bool    `json:"has_more"`
		NextCursor     *string `json:"next_cursor"`
		PreviousCursor *string `json:"previous_cursor"`
	} `json:"pagination"`
}

type usage struct {
	BillingPeriod struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"billing_period"`
	Currency         string `json:"currency"`
	AllocationMethod string `json:"allocation_method"`
	AllocationNote   string `json:"allocation_note"`
	Parent           struct {
		AccountID      string `json:"account_id"`
		ReceptionCount *int64 `json:"reception_count"`
	} `json:"parent"`
	SubAccounts []struct {
		AccountID     string   `json:"account_id"`
		Name          string   `json:"name"`
		AllocatedCost *float64 `json:"allocated_cost"`
	} `json:"sub_accounts"`
}

type object = map[string]any

// accountClient is a client that holds every scope of an account of its own.
type accountClient struct {
	ahasend
	account string // the path of the account
	id      string
}

// newAccountClient creates an account and returns a client for it that sends its requests to address.
func newAccountClient(t *testing.T, address string) accountClient {
	t.Helper()
	slug := unique("account")
	id := commandLine("organization", "create", "--name", slug, "--slug", slug,
		"--owner-email", slug+"@example.com")["id"].(string)
	token := commandLine("token", "create", "--organization", id, "--all-scopes")["token"].(string)
	client := accountClient{ahasend{address, token}, "/v2/accounts/" + id, id}
	// An account without a website is shown with an empty one, and the contract accepts only a URI there.
	ahasend{base, token}.call(t, "PUT", client.account, object{"website": "https://example.com"}).expect(t, 200)
	return client
}

func TestAllOperations(t *testing.T) {
	checkAllOperations(t, base)
}

// The proxy validates every request and every answer against the contract.
func TestAllOperationsThroughContractProxy(t *testing.T) {
	checkAllOperations(t, startContractProxy(t))
}

func checkAllOperations(t *testing.T, address string) {
	for name, check := range map[string]func(*testing.T, accountClient){
		"account":               checkAccount,
		"members":               checkMembers,
		"API keys":              checkKeys,
		"IP allow lists":        checkAllowLists,
		"pagination":            checkPagination,
		"sub-accounts":          checkSubAccounts,
		"suspension":            checkSuspension,
		"sub-account API keys":  checkSubAccountKeys,
		"replay of a secret":    checkSecretReplay,
		"concurrent duplicates": checkConcurrentDuplicates,
	} {
		check := check
		t.Run(name, func(t *testing.T) { check(t, newAccountClient(t, address)) })
	}
}

// startContractProxy starts the proxy on a free port, returns its address, and ends it with the test.
func startContractProxy(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(prism); err != nil {
		t.Fatal("the proxy is not installed: run tests/setup.sh:", err)
	}
	proxy := exec.Command("node", prism, "proxy", contract, base, "--errors", "--host", "127.0.0.1", "--port", "0")
	output, err := proxy.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	proxy.Stderr = os.Stderr
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	startDeadline := time.AfterFunc(60*time.Second, func() { _ = proxy.Process.Kill() })
	ready := make(chan string, 1)
	outputClosed := make(chan struct{})
	go func() {
		defer close(outputClosed)
		defer close(ready)
		listening := regexp.MustCompile(`listening on (http://[0-9.:]+)`)
		isReady := false
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil && !isReady {
				isReady = true
				ready <- found[1]
			}
		}
	}()
	t.Cleanup(func() {
		stopDeadline := time.AfterFunc(30*time.Second, func() { _ = proxy.Process.Kill() })
		defer stopDeadline.Stop()
		_ = proxy.Process.Signal(syscall.SIGTERM)
		<-outputClosed
		_ = proxy.Wait()
	})
	address, isReady := <-ready
	startDeadline.Stop()
	if !isReady {
		t.Fatal("the proxy ended before it was ready")
	}
	return address
}

func checkAccount(t *testing.T, c accountClient) {
	if pong := callOK[map[string]string](t, c.ahasend, "GET", "/v2/ping", nil); pong["message"] != "pong" {
		t.Fatalf("got %v", pong)
	}
	after := callOK[account](t, c.ahasend, "PUT", c.account,
		object{"website": "https://example.com", "about": "About us", "track_opens": true})
	if after.About != "About us" || after.ParentAccountID != nil {
		t.Fatalf("got %+v", after)
	}
	if got := callOK[account](t, c.ahasend, "GET", c.account, nil); got != after {
		t.Fatalf("answered %+v, then showed %+v", after, got)
	}
	c.expectError(t, authentication, "GET", "/v2/accounts/"+unknownID, nil)
	c.as("aha-sk-"+strings.Repeat("x", 64)).expectError(t, authentication, "GET", c.account, nil)
}

func checkMembers(t *testing.T, c accountClient) {
	member := newMember()
	added := create[accountMember](t, c.ahasend, c.account+"/members", member)
	c.expectError(t, conflict, "POST", c.account+"/members", member)
	listed := callOK[page[accountMember]](t, c.ahasend, "GET", c.account+"/members", nil)
	// The owner and the new member, in either order.
	if len(listed.Data) != 2 || listed.Data[0].UserID != added.UserID && listed.Data[1].UserID != added.UserID {
		t.Fatalf("expected the owner and %s, got %+v", added.UserID, listed.Data)
	}
	c.call(t, "DELETE", c.account+"/members/"+added.UserID, nil).expect(t, 200)
	c.expectError(t, notFound, "DELETE", c.account+"/members/"+added.UserID, nil)
	// The owner cannot be removed. The key was created on the command line and therefore acts for no user.
	for _, member := range listed.Data {
		if member.UserID != added.UserID {
			c.expectError(t, permission, "DELETE", c.account+"/members/"+member.UserID, nil)
		}
	}
}

func checkKeys(t *testing.T, c accountClient) {
	keys := c.account + "/api-keys"
	wanted := object{"label": "First", "scopes": []string{"accounts:read", "messages:send:{ Example.COM. }", "api-keys:write"}}
	key := create[apiKey](t, c.ahasend, keys, wanted)
	if !regexp.MustCompile(`^aha-sk-[0-9A-Za-z]{64}$`).MatchString(*key.SecretKey) || !strings.HasPrefix(key.PublicKey, "aha-pk-") {
		t.Fatalf("got %+v", key)
	}
	if got := key.scopes(); !equal(got, []string{"accounts:read", "api-keys:write", "messages:send:{example.com}"}) {
		t.Fatalf("got %v", got)
	}
	for _, scope := range key.Scopes {
		if scope.APIKeyID != key.ID || !uuidPattern.MatchString(scope.ID) || scope.DomainID != nil {
			t.Fatalf("got %+v", scope)
		}
	}
	if key.Object != "api_key" || key.AccountID != c.id || key.LastUsedAt != nil || key.IPAllowList == nil {
		t.Fatalf("got %+v", key)
	}
	own := c.as(*key.SecretKey)
	own.call(t, "GET", c.account, nil).expect(t, 200)
	own.expectError(t, permission, "GET", c.account+"/members", nil)
	own.expectError(t, permission, "POST", keys, object{"label": "More", "scopes": []string{"accounts:write"}})

	path := keys + "/" + key.ID
	renamed := callOK[apiKey](t, c.ahasend, "PUT", path, object{"label": "Renamed"})
	if renamed.Label != "Renamed" || renamed.SecretKey != nil || !equal(renamed.scopes(), key.scopes()) {
		t.Fatalf("got %+v", renamed)
	}
	if renamed.Scopes[0].ID != key.Scopes[0].ID {
		t.Fatal("renaming the key changed the id of its scope")
	}
	c.expectError(t, validation, "PUT", path, object{"label": "Renamed"})
	// Sent to the server directly: the proxy refuses a request that violates the contract.
	ahasend{base, c.token}.expectError(t, validation, "PUT", path, object{"label": nil})
	scoped := callOK[apiKey](t, c.ahasend, "PUT", path,
		object{"scopes": []string{"messages:send:{example.com}", "messages:send:all"}})
	if got := scoped.scopes(); !equal(got, []string{"messages:send:all"}) {
		t.Fatalf("got %v", got)
	}
	own.expectError(t, permission, "GET", c.account, nil)
	if got := callOK[apiKey](t, c.ahasend, "GET", path, nil); got.Label != "Renamed" || got.SecretKey != nil {
		t.Fatalf("got %+v", got)
	}
	deleted := c.call(t, "DELETE", path, nil).expect(t, 200)
	if got, wanted := expectMessage(t, deleted), "api key "+key.ID+" (Renamed) deleted successfully"; got != wanted {
		t.Fatalf("got %q", got)
	}
	own.expectError(t, authentication, "GET", "/v2/ping", nil)
	c.expectError(t, notFound, "GET", path, nil)
	c.expectError(t, notFound, "DELETE", path, nil)
}

func checkAllowLists(t *testing.T, c accountClient) {
	keys := c.account + "/api-keys"
	key := create[apiKey](t, c.ahasend, keys, object{"label": "Listed", "scopes": []string{"api-keys:write", "accounts:read"},
		"ip_allow_list": []string{"127.0.0.1", "203.0.113.9/24", "::FFFF:127.0.0.1", "2001:DB8:0::1/32"}})
	sort.Strings(key.IPAllowList)
	if !equal(key.IPAllowList, []string{"127.0.0.1/32", "2001:db8::/32", "203.0.113.0/24"}) {
		t.Fatalf("got %v", key.IPAllowList)
	}
	own, path := c.as(*key.SecretKey), keys+"/"+key.ID
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	elsewhere := object{"ip_allow_list": []string{"203.0.113.0/24"}}
	expectHeaders(t, own.expectError(t, conflict, "PUT", path, elsewhere), "", false)
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	callOK[apiKey](t, c.ahasend, "PUT", path, elsewhere)
	own.expectError(t, permission, "GET", "/v2/ping", nil)
	callOK[apiKey](t, c.ahasend, "PUT", path, object{"ip_allow_list": []string{}})
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	for _, bad := range []string{"0.0.0.0/0", "::/0", "10.0.0.0/33", "nope"} {
		c.expectError(t, validation, "PUT", path, object{"ip_allow_list": []string{bad}})
	}
}

func checkPagination(t *testing.T, c accountClient) {
	keys := c.account + "/api-keys"
	const keyCount = 5
	for i := 0; i < keyCount; i++ {
		create[apiKey](t, c.ahasend, keys, object{"label": unique("page"), "scopes": []string{"accounts:read"}})
	}
	list := func(query url.Values) page[apiKey] {
		return callOK[page[apiKey]](t, c.ahasend, "GET", keys+"?"+query.Encode(), nil)
	}
	labels := func(p page[apiKey]) (names []string) {
		for _, key := range p.Data {
			names = append(names, key.Label)
		}
		return names
	}
	all := list(url.Values{"limit": {"100"}})
	if len(all.Data) < keyCount {
		t.Fatalf("created %d keys, %d are listed", keyCount, len(all.Data))
	}
	for _, parameter := range []string{"after", "cursor"} {
		var seen []string
		query := url.Values{"limit": {"2"}}
		for len(seen) <= len(all.Data) {
			next := list(query)
			seen = append(seen, labels(next)...)
			if !next.Pagination.HasMore {
				break
			}
			query.Set(parameter, *next.Pagination.NextCursor)
		}
		if !equal(seen, labels(all)) {
			t.Fatalf("%s: expected the labels %v, got %v", parameter, labels(all), seen)
		}
	}
	first := list(url.Values{"limit": {"2"}})
	second := list(url.Values{"limit": {"2"}, "after": {*first.Pagination.NextCursor}})
	back := list(url.Values{"limit": {"2"}, "before": {*second.Pagination.PreviousCursor}})
	if !equal(labels(back), labels(first)) || back.Pagination.PreviousCursor != nil || !back.Pagination.HasMore {
		t.Fatalf("got %+v", back)
	}
	c.expectError(t, validation, "GET", keys+"?after=nope", nil)
}

func createSubAccount(t *testing.T, c accountClient, name string) subAccount {
	t.Helper()
	return create[subAccount](t, c.ahasend, c.account+"/sub-accounts",
		object{"name": name, "website": "shop.example.com", "monthly_credit": 1000})
}

func checkSubAccounts(t *testing.T, c accountClient) {
	children := c.account + "/sub-accounts"
	child := createSubAccount(t, c, "  Child  ")
	if child.Object != "sub_account" || child.ParentAccountID != c.id || child.Name != "Child" || child.Status != "active" ||
		child.Website != "shop.example.com" || child.MonthlyCredit != 1000 || child.LastActivityAt != nil {
		t.Fatalf("got %+v", child)
	}
	path := children + "/" + child.ID
	updated := callOK[subAccount](t, c.ahasend, "PUT", path, object{"name": "Daughter", "website": "https://other.example"})
	if updated.Name != "Daughter" || updated.Website != "https://other.example" || updated.MonthlyCredit != 1000 {
		t.Fatalf("got %+v", updated)
	}
	c.expectError(t, validation, "PUT", path, object{"name": "Daughter"})
	if got := callOK[subAccount](t, c.ahasend, "GET", path, nil); got != updated {
		t.Fatalf("answered %+v, then showed %+v", updated, got)
	}
	other := createSubAccount(t, c, "Son")
	listed := callOK[page[subAccount]](t, c.ahasend, "GET", children, nil)
	if len(listed.Data) != 2 || listed.Data[0].ID != other.ID || listed.Data[1] != updated || listed.Pagination.HasMore {
		t.Fatalf("got %+v", listed)
	}
	bill := callOK[usage](t, c.ahasend, "GET", children+"/usage", nil)
	if bill.Parent.AccountID != c.id || len(bill.SubAccounts) != 2 || bill.AllocationMethod != "proportional" ||
		*bill.Parent.ReceptionCount != 0 || !bill.BillingPeriod.Start.Before(bill.BillingPeriod.End) {
		t.Fatalf("got %+v", bill)
	}
	c.call(t, "DELETE", path, nil).expect(t, 200)
	c.expectError(t, notFound, "GET", path, nil)
	c.expectError(t, notFound, "DELETE", path, nil)
	if remaining := callOK[page[subAccount]](t, c.ahasend, "GET", children, nil); len(remaining.Data) != 1 {
		t.Fatalf("got %+v", remaining)
	}
	c.expectError(t, notFound, "GET", children+"/"+unknownID, nil)
}

func createSubAccountKey(t *testing.T, c accountClient, child string, scopes ...string) apiKey {
	t.Helper()
	return create[apiKey](t, c.ahasend, c.account+"/sub-accounts/"+child+"/api-keys",
		object{"label": unique("child"), "scopes": scopes})
}

func checkSuspension(t *testing.T, c accountClient) {
	child := createSubAccount(t, c, "Suspended")
	path := c.account + "/sub-accounts/" + child.ID
	own := c.as(*createSubAccountKey(t, c, child.ID, "accounts:read", "organizations:read").SecretKey)
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	for i := 0; i < 2; i++ { // suspending twice is no error
		suspended := callOK[subAccount](t, c.ahasend, "POST", path+"/suspend", object{"reason": "Overdue"})
		if suspended.Status != "suspended" {
			t.Fatalf("got %+v", suspended)
		}
	}
	refused := own.expectError(t, authentication, "GET", "/v2/ping", nil)
	if got := expectMessage(t, refused); got != "Account is suspended" {
		t.Fatalf("got %q", got)
	}
	organizations := request{"GET", "/v1/organizations/" + child.ID, own.token, "", nil}
	organizations.send(t).expect(t, 401)
	callOK[subAccount](t, c.ahasend, "PUT", path, object{"monthly_credit": 5})
	for i := 0; i < 2; i++ {
		if active := callOK[subAccount](t, c.ahasend, "POST", path+"/unsuspend", nil); active.Status != "active" {
			t.Fatalf("got %+v", active)
		}
	}
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	organizations.send(t).expect(t, 200)
	c.call(t, "DELETE", path, nil).expect(t, 200)
	own.expectError(t, authentication, "GET", "/v2/ping", nil)
}

func checkSubAccountKeys(t *testing.T, c accountClient) {
	child := createSubAccount(t, c, "Keys")
	keys := c.account + "/sub-accounts/" + child.ID + "/api-keys"
	key := createSubAccountKey(t, c, child.ID, "accounts:read", "accounts:members:read", "sub-accounts:read")
	if key.AccountID != child.ID {
		t.Fatalf("got %+v", key)
	}
	own := c.as(*key.SecretKey)
	if got := callOK[account](t, own, "GET", "/v2/accounts/"+child.ID, nil); got.ParentAccountID == nil || *got.ParentAccountID != c.id {
		t.Fatalf("got %+v", got)
	}
	own.expectError(t, authentication, "GET", c.account, nil)
	own.expectError(t, permission, "GET", "/v2/accounts/"+child.ID+"/sub-accounts", nil)
	c.expectError(t, authentication, "GET", "/v2/accounts/"+child.ID, nil)

	path := keys + "/" + key.ID
	if got := callOK[apiKey](t, c.ahasend, "GET", path, nil); got.ID != key.ID || got.SecretKey != nil {
		t.Fatalf("got %+v", got)
	}
	c.expectError(t, notFound, "GET", c.account+"/api-keys/"+key.ID, nil)
	renamed := callOK[apiKey](t, c.ahasend, "PUT", path, object{"label": "Renamed", "ip_allow_list": []string{"192.0.2.1"}})
	if renamed.Label != "Renamed" || !equal(renamed.IPAllowList, []string{"192.0.2.1/32"}) {
		t.Fatalf("got %+v", renamed)
	}
	own.expectError(t, permission, "GET", "/v2/ping", nil)
	if listed := callOK[page[apiKey]](t, c.ahasend, "GET", keys, nil); len(listed.Data) != 1 || listed.Data[0].ID != key.ID {
		t.Fatalf("got %+v", listed)
	}
	c.call(t, "DELETE", path, nil).expect(t, 200)
	own.expectError(t, authentication, "GET", "/v2/ping", nil)
	c.expectError(t, notFound, "GET", path, nil)
	c.expectError(t, notFound, "GET", c.account+"/sub-accounts/"+unknownID+"/api-keys", nil)
}

// A replayed creation of an API key shows the same secret.
func checkSecretReplay(t *testing.T, c accountClient) {
	for _, path := range []string{"/api-keys", "/sub-accounts/" + createSubAccount(t, c, "Replay").ID + "/api-keys"} {
		key, wanted := randomKey(), object{"label": "Once", "scopes": []string{"accounts:read"}}
		first := c.callWithKey(t, key, "POST", c.account+path, wanted).expect(t, 201)
		expectHeaders(t, first, "", false)
		again := c.callWithKey(t, key, "POST", c.account+path, wanted).expect(t, 201)
		expectHeaders(t, again, "true", false)
		if !bytes.Equal(first.body, again.body) {
			t.Fatal("the replay differs")
		}
		wanted["label"] = "Twice"
		refused := c.callWithKey(t, key, "POST", c.account+path, wanted)
		if errorKindOf(refused) != keyMismatch {
			t.Fatalf("got %d: %s", refused.status, refused.body)
		}
		expectHeaders(t, refused, "", false)
	}
}

// Concurrent requests with one idempotency key have one effect and one answer. A request that arrives while
// the first one runs is answered with inProgress, and is sent again until it gets the final answer.
func checkConcurrentDuplicates(t *testing.T, c accountClient) {
	key, wanted := randomKey(), object{"name": "Once", "website": "once.example"}
	type result struct {
		answer answer
		err    error
	}
	const requests = 16
	results := make(chan result, requests)
	deadline := time.Now().Add(30 * time.Second)
	for i := 0; i < requests; i++ {
		go func() {
			for {
				got, err := c.tryCall(key, "POST", c.account+"/sub-accounts", wanted)
				if err == nil && errorKindOf(got) == inProgress && time.Now().Before(deadline) {
					continue
				}
				results <- result{got, err}
				return
			}
		}()
	}
	originals := 0
	var body []byte
	for i := 0; i < requests; i++ {
		got := <-results
		if got.err != nil {
			t.Fatal(got.err)
		}
		if body == nil {
			body = got.answer.body
		}
		if got.answer.status != 201 || !bytes.Equal(got.answer.body, body) {
			t.Fatalf("got %d: %s", got.answer.status, got.answer.body)
		}
		if got.answer.header.Get("Idempotent-Replayed") == "" {
			originals++
		}
	}
	listed := callOK[page[subAccount]](t, c.ahasend, "GET", c.account+"/sub-accounts", nil)
	if originals != 1 || len(listed.Data) != 1 {
		t.Fatalf("%d answers are not marked as replays, %d sub-accounts are listed", originals, len(listed.Data))
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
