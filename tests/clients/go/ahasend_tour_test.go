package clients

import (
	"bufio"
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

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

func (k apiKey) scopes() []string {
	var names []string
	for _, scope := range k.Scopes {
		names = append(names, scope.Scope)
	}
	slices.Sort(names)
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

type fieldsOf = map[string]any

// tourer is a client with the root of an account that is its own.
type tourer struct {
	ahasend
	account string // path of the account
	id      string
}

// newTourer makes an account for one tour, reached at where.
func newTourer(t *testing.T, where string) tourer {
	t.Helper()
	slug := unique("tour")
	id := commandLine("organization", "create", "--name", slug, "--slug", slug,
		"--owner-email", slug+"@example.com")["id"].(string)
	token := commandLine("token", "create", "--organization", id, "--all-scopes")["token"].(string)
	made := tourer{ahasend{where, token}, "/v2/accounts/" + id, id}
	// An account without a website shows an empty one, which is no URI: the contract has no word for none.
	ahasend{base, token}.call(t, "PUT", made.account, fieldsOf{"website": "https://example.com"}).expect(t, 200)
	return made
}

func TestTour(t *testing.T) {
	tour(t, base)
}

// The same through a proxy that judges every request and every answer by the contract.
func TestTourThroughPrism(t *testing.T) {
	tour(t, startPrism(t))
}

func tour(t *testing.T, base string) {
	for name, part := range map[string]func(*testing.T, tourer){
		"account":               tourAccount,
		"members":               tourMembers,
		"keys":                  tourKeys,
		"allow lists":           tourAllowLists,
		"pages":                 tourPages,
		"sub-accounts":          tourSubAccounts,
		"suspension":            tourSuspension,
		"keys of sub-accounts":  tourSubAccountKeys,
		"keys and idempotency":  tourSecretReplay,
		"concurrent duplicates": tourConcurrentDuplicates,
	} {
		t.Run(name, func(t *testing.T) { part(t, newTourer(t, base)) })
	}
}

// startPrism starts the proxy on a free port and ends it with the test.
func startPrism(t *testing.T) string {
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
	overdue := time.AfterFunc(60*time.Second, func() { _ = proxy.Process.Kill() })
	address := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		listening := regexp.MustCompile(`listening on (http://[0-9.:]+)`)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
		close(address)
	}()
	t.Cleanup(func() {
		_ = proxy.Process.Signal(syscall.SIGTERM)
		<-done
		_ = proxy.Wait()
	})
	where, isThere := <-address
	overdue.Stop()
	if !isThere {
		t.Fatal("the proxy ended before it was ready")
	}
	return where
}

func tourAccount(t *testing.T, c tourer) {
	if pong := shown[map[string]string](t, c.ahasend, "GET", "/v2/ping", nil); pong["message"] != "pong" {
		t.Fatalf("got %v", pong)
	}
	after := shown[account](t, c.ahasend, "PUT", c.account,
		fieldsOf{"website": "https://example.com", "about": "Tours", "track_opens": true})
	if after.About != "Tours" || after.ParentAccountID != nil {
		t.Fatalf("got %+v", after)
	}
	if got := shown[account](t, c.ahasend, "GET", c.account, nil); got != after {
		t.Fatalf("answered %+v, then showed %+v", after, got)
	}
	c.fails(t, authentication, "GET", "/v2/accounts/"+unknownID, nil)
	c.as("aha-sk-"+strings.Repeat("x", 64)).fails(t, authentication, "GET", c.account, nil)
}

func tourMembers(t *testing.T, c tourer) {
	person := someone()
	added := made[accountMember](t, c.ahasend, c.account+"/members", person)
	c.fails(t, conflict, "POST", c.account+"/members", person)
	listed := shown[page[accountMember]](t, c.ahasend, "GET", c.account+"/members", nil)
	if !slices.ContainsFunc(listed.Data, func(m accountMember) bool { return m.UserID == added.UserID }) {
		t.Fatalf("%s is not in %+v", added.UserID, listed.Data)
	}
	c.call(t, "DELETE", c.account+"/members/"+added.UserID, nil).expect(t, 200)
	c.fails(t, notFound, "DELETE", c.account+"/members/"+added.UserID, nil)
	// The commands have no person behind them, so this key has none: the owner is refused as the owner.
	for _, member := range listed.Data {
		if member.UserID != added.UserID {
			c.fails(t, permission, "DELETE", c.account+"/members/"+member.UserID, nil)
		}
	}
}

func tourKeys(t *testing.T, c tourer) {
	keys := c.account + "/api-keys"
	wanted := fieldsOf{"label": "Tour", "scopes": []string{"accounts:read", "messages:send:{ Example.COM. }", "api-keys:write"}}
	key := made[apiKey](t, c.ahasend, keys, wanted)
	if !regexp.MustCompile(`^aha-sk-[0-9A-Za-z]{64}$`).MatchString(*key.SecretKey) || !strings.HasPrefix(key.PublicKey, "aha-pk-") {
		t.Fatalf("got %+v", key)
	}
	if got := key.scopes(); !slices.Equal(got, []string{"accounts:read", "api-keys:write", "messages:send:{example.com}"}) {
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
	own.fails(t, permission, "GET", c.account+"/members", nil)
	own.fails(t, permission, "POST", keys, fieldsOf{"label": "More", "scopes": []string{"accounts:write"}})

	path := keys + "/" + key.ID
	renamed := shown[apiKey](t, c.ahasend, "PUT", path, fieldsOf{"label": "Renamed"})
	if renamed.Label != "Renamed" || renamed.SecretKey != nil || !slices.Equal(renamed.scopes(), key.scopes()) {
		t.Fatalf("got %+v", renamed)
	}
	if renamed.Scopes[0].ID != key.Scopes[0].ID {
		t.Fatal("a scope that stayed has another id")
	}
	c.fails(t, validation, "PUT", path, fieldsOf{"label": "Renamed"})
	// The proxy does not let a request through that leaves the contract.
	ahasend{base, c.token}.fails(t, validation, "PUT", path, fieldsOf{"label": nil})
	scoped := shown[apiKey](t, c.ahasend, "PUT", path,
		fieldsOf{"scopes": []string{"messages:send:{example.com}", "messages:send:all"}})
	if got := scoped.scopes(); !slices.Equal(got, []string{"messages:send:all"}) {
		t.Fatalf("got %v", got)
	}
	own.fails(t, permission, "GET", c.account, nil)
	if got := shown[apiKey](t, c.ahasend, "GET", path, nil); got.Label != "Renamed" || got.SecretKey != nil {
		t.Fatalf("got %+v", got)
	}
	deleted := c.call(t, "DELETE", path, nil).expect(t, 200)
	if got, wanted := expectMessage(t, deleted), "api key "+key.ID+" (Renamed) deleted successfully"; got != wanted {
		t.Fatalf("got %q", got)
	}
	own.fails(t, authentication, "GET", "/v2/ping", nil)
	c.fails(t, notFound, "GET", path, nil)
	c.fails(t, notFound, "DELETE", path, nil)
}

func tourAllowLists(t *testing.T, c tourer) {
	keys := c.account + "/api-keys"
	key := made[apiKey](t, c.ahasend, keys, fieldsOf{"label": "Listed", "scopes": []string{"api-keys:write", "accounts:read"},
		"ip_allow_list": []string{"127.0.0.1", "203.0.113.9/24", "::FFFF:127.0.0.1", "2001:DB8:0::1/32"}})
	slices.Sort(key.IPAllowList)
	if !slices.Equal(key.IPAllowList, []string{"127.0.0.1/32", "2001:db8::/32", "203.0.113.0/24"}) {
		t.Fatalf("got %v", key.IPAllowList)
	}
	own, path := c.as(*key.SecretKey), keys+"/"+key.ID
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	elsewhere := fieldsOf{"ip_allow_list": []string{"203.0.113.0/24"}}
	expectHeaders(t, own.fails(t, conflict, "PUT", path, elsewhere), "", false)
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	shown[apiKey](t, c.ahasend, "PUT", path, elsewhere)
	own.fails(t, permission, "GET", "/v2/ping", nil)
	shown[apiKey](t, c.ahasend, "PUT", path, fieldsOf{"ip_allow_list": []string{}})
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	for _, bad := range []string{"0.0.0.0/0", "::/0", "10.0.0.0/33", "nope"} {
		c.fails(t, validation, "PUT", path, fieldsOf{"ip_allow_list": []string{bad}})
	}
}

func tourPages(t *testing.T, c tourer) {
	keys := c.account + "/api-keys"
	for range 5 {
		made[apiKey](t, c.ahasend, keys, fieldsOf{"label": unique("page"), "scopes": []string{"accounts:read"}})
	}
	list := func(query url.Values) page[apiKey] {
		return shown[page[apiKey]](t, c.ahasend, "GET", keys+"?"+query.Encode(), nil)
	}
	labels := func(p page[apiKey]) (names []string) {
		for _, key := range p.Data {
			names = append(names, key.Label)
		}
		return names
	}
	whole := list(url.Values{"limit": {"100"}})
	for _, parameter := range []string{"after", "cursor"} {
		var seen []string
		query := url.Values{"limit": {"2"}}
		for {
			part := list(query)
			seen = append(seen, labels(part)...)
			if !part.Pagination.HasMore {
				break
			}
			query.Set(parameter, *part.Pagination.NextCursor)
		}
		if !slices.Equal(seen, labels(whole)) {
			t.Fatalf("%s: got %v of %v", parameter, seen, labels(whole))
		}
	}
	first := list(url.Values{"limit": {"2"}})
	second := list(url.Values{"limit": {"2"}, "after": {*first.Pagination.NextCursor}})
	back := list(url.Values{"limit": {"2"}, "before": {*second.Pagination.PreviousCursor}})
	if !slices.Equal(labels(back), labels(first)) || back.Pagination.PreviousCursor != nil || !back.Pagination.HasMore {
		t.Fatalf("got %+v", back)
	}
	c.fails(t, validation, "GET", keys+"?after=nope", nil)
}

func newChild(t *testing.T, c tourer, name string) subAccount {
	t.Helper()
	return made[subAccount](t, c.ahasend, c.account+"/sub-accounts",
		fieldsOf{"name": name, "website": "shop.example.com", "monthly_credit": 1000})
}

func tourSubAccounts(t *testing.T, c tourer) {
	children := c.account + "/sub-accounts"
	child := newChild(t, c, "  Child  ")
	if child.Object != "sub_account" || child.ParentAccountID != c.id || child.Name != "Child" || child.Status != "active" ||
		child.Website != "shop.example.com" || child.MonthlyCredit != 1000 || child.LastActivityAt != nil {
		t.Fatalf("got %+v", child)
	}
	path := children + "/" + child.ID
	updated := shown[subAccount](t, c.ahasend, "PUT", path, fieldsOf{"name": "Daughter", "website": "https://other.example"})
	if updated.Name != "Daughter" || updated.Website != "https://other.example" || updated.MonthlyCredit != 1000 {
		t.Fatalf("got %+v", updated)
	}
	c.fails(t, validation, "PUT", path, fieldsOf{"name": "Daughter"})
	if got := shown[subAccount](t, c.ahasend, "GET", path, nil); got != updated {
		t.Fatalf("answered %+v, then showed %+v", updated, got)
	}
	other := newChild(t, c, "Son")
	listed := shown[page[subAccount]](t, c.ahasend, "GET", children, nil)
	if len(listed.Data) != 2 || listed.Data[0].ID != other.ID || listed.Data[1] != updated || listed.Pagination.HasMore {
		t.Fatalf("got %+v", listed)
	}
	bill := shown[usage](t, c.ahasend, "GET", children+"/usage", nil)
	if bill.Parent.AccountID != c.id || len(bill.SubAccounts) != 2 || bill.AllocationMethod != "proportional" ||
		*bill.Parent.ReceptionCount != 0 || !bill.BillingPeriod.Start.Before(bill.BillingPeriod.End) {
		t.Fatalf("got %+v", bill)
	}
	c.call(t, "DELETE", path, nil).expect(t, 200)
	c.fails(t, notFound, "GET", path, nil)
	c.fails(t, notFound, "DELETE", path, nil)
	if left := shown[page[subAccount]](t, c.ahasend, "GET", children, nil); len(left.Data) != 1 {
		t.Fatalf("got %+v", left)
	}
	c.fails(t, notFound, "GET", children+"/"+unknownID, nil)
}

func childKey(t *testing.T, c tourer, child string, scopes ...string) apiKey {
	t.Helper()
	return made[apiKey](t, c.ahasend, c.account+"/sub-accounts/"+child+"/api-keys",
		fieldsOf{"label": unique("child"), "scopes": scopes})
}

func tourSuspension(t *testing.T, c tourer) {
	child := newChild(t, c, "Suspended")
	path := c.account + "/sub-accounts/" + child.ID
	own := c.as(*childKey(t, c, child.ID, "accounts:read", "organizations:read").SecretKey)
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	for range 2 {
		suspended := shown[subAccount](t, c.ahasend, "POST", path+"/suspend", fieldsOf{"reason": "Overdue"})
		if suspended.Status != "suspended" {
			t.Fatalf("got %+v", suspended)
		}
	}
	refused := own.fails(t, authentication, "GET", "/v2/ping", nil)
	if got := expectMessage(t, refused); got != "Account is suspended" {
		t.Fatalf("got %q", got)
	}
	organizations := request{"GET", "/v1/organizations/" + child.ID, own.token, "", nil}
	organizations.send(t).expect(t, 401)
	shown[subAccount](t, c.ahasend, "PUT", path, fieldsOf{"monthly_credit": 5})
	for range 2 {
		if active := shown[subAccount](t, c.ahasend, "POST", path+"/unsuspend", nil); active.Status != "active" {
			t.Fatalf("got %+v", active)
		}
	}
	own.call(t, "GET", "/v2/ping", nil).expect(t, 200)
	organizations.send(t).expect(t, 200)
	c.call(t, "DELETE", path, nil).expect(t, 200)
	own.fails(t, authentication, "GET", "/v2/ping", nil)
}

func tourSubAccountKeys(t *testing.T, c tourer) {
	child := newChild(t, c, "Keys")
	keys := c.account + "/sub-accounts/" + child.ID + "/api-keys"
	key := childKey(t, c, child.ID, "accounts:read", "accounts:members:read", "sub-accounts:read")
	if key.AccountID != child.ID {
		t.Fatalf("got %+v", key)
	}
	own := c.as(*key.SecretKey)
	if got := shown[account](t, own, "GET", "/v2/accounts/"+child.ID, nil); got.ParentAccountID == nil || *got.ParentAccountID != c.id {
		t.Fatalf("got %+v", got)
	}
	own.fails(t, authentication, "GET", c.account, nil)
	own.fails(t, permission, "GET", "/v2/accounts/"+child.ID+"/sub-accounts", nil)
	c.fails(t, authentication, "GET", "/v2/accounts/"+child.ID, nil)

	path := keys + "/" + key.ID
	if got := shown[apiKey](t, c.ahasend, "GET", path, nil); got.ID != key.ID || got.SecretKey != nil {
		t.Fatalf("got %+v", got)
	}
	c.fails(t, notFound, "GET", c.account+"/api-keys/"+key.ID, nil)
	renamed := shown[apiKey](t, c.ahasend, "PUT", path, fieldsOf{"label": "Renamed", "ip_allow_list": []string{"192.0.2.1"}})
	if renamed.Label != "Renamed" || !slices.Equal(renamed.IPAllowList, []string{"192.0.2.1/32"}) {
		t.Fatalf("got %+v", renamed)
	}
	own.fails(t, permission, "GET", "/v2/ping", nil)
	if listed := shown[page[apiKey]](t, c.ahasend, "GET", keys, nil); len(listed.Data) != 1 || listed.Data[0].ID != key.ID {
		t.Fatalf("got %+v", listed)
	}
	c.call(t, "DELETE", path, nil).expect(t, 200)
	own.fails(t, authentication, "GET", "/v2/ping", nil)
	c.fails(t, notFound, "GET", path, nil)
	c.fails(t, notFound, "GET", c.account+"/sub-accounts/"+unknownID+"/api-keys", nil)
}

func tourSecretReplay(t *testing.T, c tourer) {
	for _, path := range []string{"/api-keys", "/sub-accounts/" + newChild(t, c, "Replay").ID + "/api-keys"} {
		key, wanted := randomKey(), fieldsOf{"label": "Once", "scopes": []string{"accounts:read"}}
		first := c.callWith(t, key, "POST", c.account+path, wanted).expect(t, 201)
		expectHeaders(t, first, "", false)
		again := c.callWith(t, key, "POST", c.account+path, wanted).expect(t, 201)
		expectHeaders(t, again, "true", false)
		if !bytes.Equal(first.body, again.body) {
			t.Fatal("the replay differs")
		}
		wanted["label"] = "Twice"
		refused := c.callWith(t, key, "POST", c.account+path, wanted)
		if kindOf(refused) != idempotency {
			t.Fatalf("got %d: %s", refused.status, refused.body)
		}
		expectHeaders(t, refused, "", false)
	}
}

// Many at once with one key: one effect; whoever comes while it runs is told to come again, and then gets
// the same answer.
func tourConcurrentDuplicates(t *testing.T, c tourer) {
	key, wanted := randomKey(), fieldsOf{"name": "Once", "website": "once.example"}
	answers := make([]answer, 16)
	var group sync.WaitGroup
	for index := range answers {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				got := c.callWith(t, key, "POST", c.account+"/sub-accounts", wanted)
				if answers[index] = got; kindOf(got) != idempotencyRunning {
					return
				}
			}
		}()
	}
	group.Wait()
	fresh := 0
	for _, got := range answers {
		if got.status != 201 || !bytes.Equal(got.body, answers[0].body) {
			t.Fatalf("got %d: %s", got.status, got.body)
		}
		if got.header.Get("Idempotent-Replayed") == "" {
			fresh++
		}
	}
	listed := shown[page[subAccount]](t, c.ahasend, "GET", c.account+"/sub-accounts", nil)
	if fresh != 1 || len(listed.Data) != 1 {
		t.Fatalf("%d fresh answers, %d sub-accounts", fresh, len(listed.Data))
	}
}
