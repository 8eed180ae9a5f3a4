// Runs the health checks of resource_customizations on their test data, as Argo CD's own test does: the same interpreter,
// and the libraries that Argo CD gives to a check from its ConfigMap. `health-test FOLDER`.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"go.yaml.in/yaml/v3"
)

type health struct{ Status, Message string }

type suite struct {
	Tests []struct {
		InputPath    string `yaml:"inputPath"`
		HealthStatus health `yaml:"healthStatus"`
	}
}

// What a check may answer, of which each kind must show these three.
var known = []string{"Healthy", "Progressing", "Degraded", "Suspended"}

const everyKind = 3

func main() {
	if len(os.Args) != 2 {
		fail("usage: health-test FOLDER")
	}
	checks, err := filepath.Glob(filepath.Join(os.Args[1], "*", "*", "health.lua"))
	if err != nil || len(checks) == 0 {
		fail("no health.lua below %s: %v", os.Args[1], err)
	}
	wrong, ran := 0, 0
	for _, check := range checks {
		folder := filepath.Dir(check)
		problems, tests := run(folder)
		for _, problem := range problems {
			fmt.Fprintf(os.Stderr, "%s: %s\n", folder, problem)
		}
		wrong, ran = wrong+len(problems), ran+tests
	}
	if wrong > 0 {
		fail("%d of the health checks' tests fail", wrong)
	}
	fmt.Printf("%d health checks, %d tests\n", len(checks), ran)
}

// run tests one check, that every file of its test data is tested, and that each kind of it shows what it may be. The
// test data has a folder a kind.
func run(folder string) (problems []string, tests int) {
	var suite suite
	if err := yaml.Unmarshal(read(filepath.Join(folder, "health_test.yaml")), &suite); err != nil {
		fail("%s: %v", folder, err)
	}
	untested, err := filepath.Glob(filepath.Join(folder, "testdata", "*", "*.yaml"))
	if err != nil {
		fail("%s: %v", folder, err)
	}
	shown := map[string][]string{}
	for _, path := range untested {
		shown[kindOf(path)] = nil
	}
	for _, test := range suite.Tests {
		input := filepath.Join(folder, test.InputPath)
		untested = slices.DeleteFunc(untested, func(path string) bool { return path == input })
		shown[kindOf(input)] = append(shown[kindOf(input)], test.HealthStatus.Status)
		got, err := evaluate(filepath.Join(folder, "health.lua"), input)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", test.InputPath, err))
		} else if got != test.HealthStatus {
			problems = append(problems, fmt.Sprintf("%s is %+v and should be %+v", test.InputPath, got, test.HealthStatus))
		}
	}
	for _, path := range untested {
		problems = append(problems, path+" is not tested: add it to health_test.yaml")
	}
	for _, kind := range slices.Sorted(maps.Keys(shown)) {
		for _, status := range known[:everyKind] {
			if !slices.Contains(shown[kind], status) {
				problems = append(problems, fmt.Sprintf("no test of %s expects %s", kind, status))
			}
		}
	}
	return problems, len(suite.Tests)
}

func kindOf(input string) string {
	return filepath.Base(filepath.Dir(input))
}

// evaluate gives an object to a check.
func evaluate(check, input string) (health, error) {
	var object map[string]any
	if err := yaml.Unmarshal(read(input), &object); err != nil {
		return health{}, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", value(state, object))
	if err := state.DoFile(check); err != nil {
		return health{}, err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("returned a %s and not a table", state.Get(-1).Type())
	}
	got := health{lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message"))}
	if !slices.Contains(known, got.Status) {
		return got, fmt.Errorf("%q is no health", got.Status)
	}
	return got, nil
}

// value is what Lua sees of a YAML value.
func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case time.Time:
		return lua.LString(from.Format(time.RFC3339))
	case []any:
		table := state.NewTable()
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

func read(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	return text
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}
