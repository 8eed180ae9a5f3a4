{{- define "konstruct.migratePod" -}}
{{- $values := .Values.migrate -}}
metadata:
  labels: {{- toYaml (merge (include "konstruct.podLabels" (dict "root" . "role" "migrate") | fromYaml) $values.podLabels) | nindent 4 }}
  {{- with $values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  restartPolicy: OnFailure
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "konstruct.podSecurity" 65532 | nindent 2 }}
  {{- with include "konstruct.scheduling" (dict "root" . "values" $values) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  containers:
  - name: migrate
    image: {{ include "konstruct.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
    - migrate
    - --log-format={{ .Values.log.format }}
    - --admin-url-file=/var/run/konstruct/secrets/admin-url
    - --operator-password-file=/var/run/konstruct/secrets/operator-password
    - --gateway-password-file=/var/run/konstruct/secrets/gateway-password
    - --ai-gateway-password-file=/var/run/konstruct/secrets/ai-gateway-password
    - --wait-seconds={{ int $values.waitSeconds }}
    {{- with include "konstruct.env" (dict "root" . "extra" $values.extraEnv) }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    resources: {{- toYaml $values.resources | nindent 6 }}
    {{- include "konstruct.containerSecurity" . | nindent 4 }}
    {{- $files := include "konstruct.migrateFiles" . | fromYamlArray }}
    {{- include "konstruct.volumeMounts" (dict "files" $files "extraVolumeMounts" $values.extraVolumeMounts) | nindent 4 }}
  {{- include "konstruct.volumes" (dict "files" $files "extraVolumes" $values.extraVolumes) | nindent 2 }}
{{- end -}}

{{/* Whether an upgrade finds all that the migration needs: the logins and the database. */}}
{{- define "konstruct.migrateAsHook" -}}
{{- $namespace := .Release.Namespace -}}
{{- $database := printf "%s-postgres" (include "konstruct.fullname" .) -}}
{{- $found := lookup "v1" "Secret" $namespace (include "konstruct.postgresSecret" .) -}}
{{- if eq .Values.postgres.mode "dev" -}}
{{- $found = and $found (lookup "apps/v1" "StatefulSet" $namespace $database) -}}
{{- else if eq .Values.postgres.mode "cnpg" -}}
{{- $found = and $found (lookup "postgresql.cnpg.io/v1" "Cluster" $namespace $database) -}}
{{- end -}}
{{- if and .Release.IsUpgrade $found }}true{{ end -}}
{{- end -}}
