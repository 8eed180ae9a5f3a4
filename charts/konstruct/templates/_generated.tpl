{{/*
Secrets that are made once. A value that is in the cluster stays; where the cluster cannot be asked ("helm template")
new ones are made each time, so what is rendered that way has to name existing Secrets.
*/}}

{{- define "konstruct.foundSecret" -}}
{{- (lookup "v1" "Secret" .root.Release.Namespace .name).data | default dict | toJson -}}
{{- end -}}

{{- define "konstruct.keysData" -}}
{{- $found := include "konstruct.foundSecret" (dict "root" . "name" (include "konstruct.keysSecret" .)) | fromJson -}}
{{- range list "channel-key" "provider-key" }}
{{ . }}: {{ index $found . | default (randBytes 32 | b64dec | printf "%x" | b64enc) }}
{{- end }}
{{- end -}}

{{- define "konstruct.postgresData" -}}
{{- $found := include "konstruct.foundSecret" (dict "root" . "name" (include "konstruct.postgresSecret" .)) | fromJson -}}
{{- $place := include "konstruct.postgresPlace" . -}}
{{- $users := dict "operator" "konstruct_operator" "gateway" "konstruct_gateway" "ai-gateway" "konstruct_ai_gateway" -}}
{{- if ne .Values.postgres.mode "external" }}{{ $_ := set $users "admin" (include "konstruct.postgresAdmin" .) }}{{ end -}}
{{- range $role, $user := $users }}
{{- $password := index $found (printf "%s-password" $role) | default (randAlphaNum 40 | b64enc) }}
{{ $role }}-password: {{ $password }}
{{ $role }}-url: {{ printf "postgres://%s:%s@%s" $user ($password | b64dec) $place | b64enc }}
{{- end }}
{{- end -}}

{{- define "konstruct.redisData" -}}
{{- $found := include "konstruct.foundSecret" (dict "root" . "name" (include "konstruct.redisSecret" .)) | fromJson -}}
{{- $password := index $found "password" | default (randAlphaNum 40 | b64enc) }}
password: {{ $password }}
{{- $url := printf "redis://:%s@%s" ($password | b64dec) (include "konstruct.redisAddress" . | trimPrefix "redis://") | b64enc }}
{{- range list "operator" "gateway" "ai-gateway" }}
{{ . }}-url: {{ $url }}
{{- end }}
{{- end -}}
