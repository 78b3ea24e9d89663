package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
)

func planCommand(f *flag.FlagSet) func(context.Context, env, []string) error {
	var o overrides
	o.flags(f)
	asJSON := f.Bool("json", false, "")
	return func(ctx context.Context, e env, args []string) error {
		l, err := o.describe(ctx, e, args[0])
		if err != nil {
			return err
		}
		defer l.Close()
		p, err := l.Plan(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(e.stdout, p)
		}
		_, err = fmt.Fprint(e.stdout, p)
		return err
	}
}

// printJSON prints an object for people to read, too.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
